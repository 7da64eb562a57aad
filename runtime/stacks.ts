import { define } from './primordials.ts';

let isReadingStack = false;

/** The stack as the engine writes it: the script's `Error.prepareStackTrace` is not asked. */
export function stackOf(error: Error): string {
  isReadingStack = true;
  try {
    const { stack } = error;
    return typeof stack === 'string' ? stack : '';
  } catch {
    return '';
  } finally {
    isReadingStack = false;
  }
}

/** Makes `Error.prepareStackTrace` the script's, and only the script's. */
export function installErrors(global: typeof globalThis): void {
  const NativeError = global.Error;
  let prepare: unknown;
  Object.defineProperty(NativeError, 'prepareStackTrace', {
    get: () => (isReadingStack ? undefined : prepare),
    set(this: unknown, value: unknown) {
      if (this === NativeError) prepare = value;
      else define(this as object, 'prepareStackTrace', value);
    },
    enumerable: false,
    configurable: false,
  });
}

import { NativeTypeError, natives, reading, shown } from '../shared.ts';

export const { iterator, toStringTag } = natives;

/** Throws as browsers do when a member is called with too little. */
export function need(given: number, needed: number, member: string): void {
  if (given < needed)
    throw new NativeTypeError(`${member}: ${needed} argument${needed > 1 ? 's' : ''} required, got ${given}`);
}

/** Reads members of an object with options, which may be left out: undefined for those that are not there. */
export function optionsOf(member: string, options: unknown): (name: string) => unknown {
  if (options === undefined || options === null) return () => undefined;
  if (typeof options !== 'object' && typeof options !== 'function')
    throw new NativeTypeError(`${member}: expected an object with options, got ${shown(options)}`);
  return (name) => reading(member, () => (options as Record<string, unknown>)[name]);
}

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VALUES } from './rewrite.ts';

/** What comes with the server. */
export const OWN_LIBRARY = fileURLToPath(new URL('../../../runtime/scriptlib/', import.meta.url));

/**
 * What scripts with `for each` are run after. Names first and values when their turn comes, as `for in` does: what
 * is deleted meanwhile is not visited, and null has nothing.
 */
export const forEachPrelude = {
  name: 'for each',
  filename: 'stagewire:for-each',
  code: `Object.defineProperty(this, '${VALUES}', { configurable: true, writable: true, value: function* (object) {
    for (const name in object) yield object[name];
  } });`,
};

/**
 * Secure mode: while secure.asc runs, there are `getGlobal` and `protectObject` (Server-Side ActionScript Language
 * Reference). A protected object lets its methods be called, on the object itself, and shows nothing else.
 */
export const secureModeBegins = {
  name: 'secure mode',
  filename: 'stagewire:secure-mode',
  code: `(function (global) {
    const { apply, defineProperty, has } = Reflect;
    const { freeze, create } = Object;
    const ProxyOf = Proxy;
    const define = (name, value) => defineProperty(global, name, { configurable: true, writable: true, value });
    define('getGlobal', () => global);
    define('protectObject', (object) => {
      if (object === null || typeof object !== 'object') {
        throw new TypeError('protectObject: expected an object, got ' + (object === null ? 'null' : typeof object));
      }
      const refuse = () => false;
      const handler = {
        __proto__: null,
        get: (shell, name) => {
          const method = object[name];
          if (typeof method !== 'function') return undefined;
          return freeze((...args) => apply(method, object, args));
        },
        has: (shell, name) => has(object, name) && typeof object[name] === 'function',
        ownKeys: () => [],
        getOwnPropertyDescriptor: () => undefined,
        getPrototypeOf: () => null,
        isExtensible: () => true,
        preventExtensions: refuse,
        setPrototypeOf: refuse,
        defineProperty: refuse,
        deleteProperty: refuse,
        set: refuse,
      };
      return new ProxyOf(create(null), handler);
    });
  })(this);`,
};

export const secureModeEnds = {
  name: 'end of secure mode',
  filename: 'stagewire:secure-mode',
  code: 'delete this.getGlobal; delete this.protectObject;',
};

/** One file: `components.asc` was the framework and stock components, which this server has none of. */
const sameFile: Readonly<Record<string, string>> = { 'components.asc': 'framework.asc' };

/** The first of those folders that has such a file, as its path. The name has no `..` in it. */
export async function findInLibrary(folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isFile()) return path;
  }
  const same = Object.hasOwn(sameFile, name) ? sameFile[name] : undefined;
  return same === undefined ? undefined : findInLibrary(folders, same);
}

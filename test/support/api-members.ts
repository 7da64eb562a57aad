import { readFileSync } from 'node:fs';
import { declarations } from '../../scripts/declarations.ts';

/** What scripts can call, make or set, by runtime/globals.d.ts. */
export interface ApiMember {
  /** `Client.call`, `URL.constructor`, `trace`. */
  readonly name: string;
  /** Of all its overloads; that of a property, and of a handler that a script may set, is `value`. */
  readonly parameters: ReadonlySet<string>;
}

/** Objects that scripts only get, and one that the compiler reads. */
const ONLY_READ =
  /^(Info|ScriptErrorInfo|StreamStatus|Statistics|ApplicationStatistics|ClientStatistics|ClientMethods)$/;
/** Their properties are arguments, though nobody sets them afterwards. */
const ARGUMENTS = /^(Invocation|AbortSignalLike|FetchOptions|ResultObject|TokenExpectations)$/;

export function apiMembers(): ApiMember[] {
  const source = readFileSync(new URL('../../runtime/globals.d.ts', import.meta.url), 'utf8');
  const found = new Map<string, Set<string>>();
  const add = (name: string, parameters: readonly string[]) =>
    found.set(name, new Set([...(found.get(name) ?? []), ...parameters]));
  for (const { lines } of declarations(source.split('\n'))) {
    const [, kind, name = ''] =
      /^(?:declare )?(interface|class|const|function|type) (\w+)/.exec(lines[0]!) ?? [];
    const code = lines.join('\n');
    if (kind === 'function') add(name, parametersOf(code));
    if (kind === 'interface' || kind === 'class') addMembers(name, lines.slice(1, -1));
    // What is no interface can be made with `new`, or answers that it cannot.
    if (kind === 'class' || /\{\s+readonly prototype: /.test(code)) add(`${name}.constructor`, []);
    if (kind === 'const') {
      const [, names] = /^declare const \w+: Record<([^,]*), \(\.\.\.values/.exec(code) ?? [];
      for (const each of names?.match(/\w+/g) ?? []) add(`${name}.${each}`, ['values']);
      const [, one] = /: \{ (.*) \};$/.exec(code) ?? [];
      addMembers(name, one === undefined ? lines.slice(1, -1) : [`  ${one};`]);
    }
  }
  return [...found].map(([name, parameters]) => ({ name, parameters }));

  function addMembers(owner: string, lines: readonly string[]): void {
    if (ONLY_READ.test(owner)) return;
    for (const member of declarations(lines, '  ')) {
      const code = member.lines.join('\n');
      const [, readonly, name] =
        /^(?:static )?(?:private )?(readonly )?(?!readonly \[)(\w+|\[Symbol\.iterator\])/.exec(code) ?? [];
      if (name === undefined || code.startsWith('private ') || name === 'prototype') continue;
      const isGiven = ARGUMENTS.test(owner) || /^\w+\?\(/.test(code); // by a script: an argument, or a handler
      if (isGiven) add(`${owner}.${name}`, ['value']);
      else if (/^(static )?(\w+|\[Symbol\.iterator\])\??[(<]/.test(code))
        add(`${owner}.${name}`, parametersOf(code));
      else if (!readonly) add(`${owner}.${name}`, ['value']);
    }
  }
}

/** The names in the first list of parameters. */
function parametersOf(code: string): string[] {
  const names: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of code.slice(code.indexOf('(') + 1).replaceAll('=>', '')) {
    if (depth === 0 && (character === ',' || character === ')')) {
      const [, name] = /^\s*(?:\.\.\.)?(\w+)/.exec(part) ?? [];
      if (name !== undefined) names.push(name);
      part = '';
      if (character === ')') break;
      continue;
    }
    if ('([{<'.includes(character)) depth++;
    if (')]}>'.includes(character)) depth--;
    part += character;
  }
  return names;
}

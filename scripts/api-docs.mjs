// `npm run api-docs`: writes docs/api.md from runtime/globals.d.ts, whose layout is what the formatter makes of it, and
// docs/app.schema.json from what the server takes for an app.json. `npm run check` fails when they differ (`--check`).
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { appFile } from '../host/apps/app-file.ts';
import { declarations } from './declarations.ts';

const root = new URL('../', import.meta.url);
const source = readFileSync(new URL('runtime/globals.d.ts', root), 'utf8');
const target = new URL('docs/api.md', root);

const schema = z.toJSONSchema(appFile, { io: 'input', unrepresentable: 'any' });
const made = [
  [target, render(declarations(source.split('\n')))],
  [new URL('docs/app.schema.json', root), `${JSON.stringify(schema, null, 2)}\n`],
];
for (const [file, text] of made) {
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (readFileSync(file, { encoding: 'utf8', flag: 'a+' }) !== text) {
    console.log(`${fileURLToPath(file)} is not what its source says: npm run api-docs`);
    process.exitCode = 1;
  }
}

function render(all) {
  const out = [
    '# The scripting API',
    '',
    'Made by `npm run api-docs` from [runtime/globals.d.ts](../runtime/globals.d.ts), which editors read. How to write an',
    'application is in [scripting.md](scripting.md); the rows of the classic API, and which of them are here, are in',
    '[test/api-checklist.md](../test/api-checklist.md).',
    '',
  ];
  let section = '';
  for (const { doc, lines } of all) {
    const [, kind, name] = /^(?:declare )?(interface|class|const|function|type) (\w+)/.exec(lines[0]) ?? [];
    if (!name || kind === 'type') continue;
    if (name !== section) out.push(`## ${name}`, '');
    section = name;
    if (kind === 'interface' || kind === 'class') {
      if (doc) out.push(doc, '');
      pushMembers(out, declarations(lines.slice(1, -1), '  '));
    } else pushMembers(out, [{ doc, lines }]);
  }
  return `${out.join('\n').trimEnd()}\n`;
}

/** One heading a member; overloads stand together. */
function pushMembers(out, members) {
  let last = '';
  for (const { doc, lines } of members) {
    if (/^(readonly )?\[\w+: string\]/.test(lines[0])) continue;
    const [, name = ''] = /^(?:readonly |declare function |declare const )?([\w']+)/.exec(lines[0]) ?? [];
    if (name !== last && !lines[0].startsWith('declare')) out.push(`### ${name}`, '');
    if (doc) out.push(doc, '');
    out.push('```ts', ...lines, '```', '');
    last = name;
  }
}

import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  typeCheck: true,
  apps: {
    typed: {
      'main.ts': `import { half } from './half.ts';
application.onConnect = () => true;
Client.prototype.half = (n: number) => half(n);
`,
      'half.ts': 'export const half = (n: number) => n / 2;\n',
    },
    loose: {
      'main.ts': 'const a = (b) => b;\napplication.onConnect = () => a(true);\n',
      'tsconfig.json': '{ "compilerOptions": { "strict": false } }',
    },
    script: { 'main.asc': 'var a = "text" * 2;' },
  },
});

const told = (app: string, from = 0) =>
  server.waitForLog((r) => r.level === 'warn' && r.instance === app && /type errors?;/.test(r.message), from);

test('a type error is a warning with its place, and the code runs', async () => {
  const client = await connect(`${server.rtmp}/typed/room`);
  let from = server.log.mark;
  server.writeFile('typed/half.ts', 'export const half = (n: number) => n / 2 + ("1" as unknown);\n');
  const one = await told('typed', from);
  expect(one.message).toBe('a type error; it runs all the same');
  expect(one.detail).toMatch(/^half\.ts:1:\d+: TS2571: /);
  expect(one.detail).toContain('1 | export const half = (n: number) => n / 2 + ("1" as unknown);\n');
  // The compiler may be done before the new code has taken over.
  await eventually('the new code', async () => (await client.call('half', 4)) === '21');

  from = server.log.mark;
  const wrong = Array.from({ length: 7 }, (_, n) => `const text${n}: string = ${n};`).join('\n');
  server.writeFile('typed/half.ts', `${wrong}\nexport const half = (n: number) => [n, text0];\n`);
  const many = await told('typed', from);
  expect(many.message).toBe('7 type errors; it runs all the same');
  expect(many.detail?.match(/TS2322/g)).toHaveLength(5);
  expect(many.detail).toContain('... and 2 more');
});

test('what its tsconfig.json allows is no error, nor is what is no TypeScript', async () => {
  const from = server.log.mark;
  server.writeFile('loose/main.ts', 'const a = (b) => b;\napplication.onConnect = () => a(1);\n');
  // Looked at after the others: when it has been told of, they have been looked at.
  server.writeFile('typed/half.ts', 'export const half: string = 1;\n');
  await told('typed', from);
  const others = server.log.entries.filter((r) => /type errors?;/.test(r.message) && r.instance !== 'typed');
  expect(others).toEqual([]);
});

test('names of Node come with what there is instead', async () => {
  const from = server.log.mark;
  server.writeFile('typed/half.ts', 'export const half = (n: number) => n / Number(process.env.PARTS);\n');
  const { detail } = await told('typed', from);
  expect(detail).toContain(
    "Cannot find name 'process'. There is no Node in an application: application.config",
  );
  expect(detail).not.toContain('@types/node');
});

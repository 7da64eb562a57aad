import { createSocket } from 'node:dgram';
import { expect, onTestFinished, test } from 'vitest';
import { resolveName } from '../../../host/base/lookup.ts';

const A = 1;
const AAAA = 28;
const SERVFAIL = 2;

type Answers = (name: string, type: number) => Buffer[] | number | undefined;

/** A DNS server on this machine (RFC 1035): addresses, an error code, or no answer at all. */
async function serveDns(answers: Answers): Promise<string> {
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  socket.on('message', (query, from) => {
    let at = 12;
    const labels: string[] = [];
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = query.readUInt16BE(at + 1);
    const answer = answers(labels.join('.'), type);
    if (answer === undefined) return;
    const records = typeof answer === 'number' ? [] : answer;
    const header = Buffer.from(query.subarray(0, 12));
    header[2] = 0x81; // a response
    header[3] = 0x80 | (typeof answer === 'number' ? answer : 0);
    header.writeUInt16BE(records.length, 6);
    header.writeUInt16BE(0, 8);
    header.writeUInt16BE(0, 10);
    const sections = records.map((address) => {
      const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, address.length]);
      return Buffer.concat([record, address]);
    });
    socket.send(Buffer.concat([header, query.subarray(12, at + 5), ...sections]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return `127.0.0.1:${socket.address().port}`;
}

function ask(servers: string[], signal = new AbortController().signal): Promise<string[]> {
  return resolveName('site.test', signal, servers);
}

const four = Buffer.from([8, 8, 8, 8]);
const six = Buffer.from([0x26, 6, 0x47, 0, 0x47, 0, ...Array(9).fill(0), 1]);

const cases: { what: string; answers: Answers; gives: string[] }[] = [
  {
    what: 'both kinds',
    answers: (_, type) => (type === A ? [four, four] : [six]),
    gives: ['8.8.8.8', '8.8.8.8', '2606:4700:4700::1'],
  },
  { what: 'IPv4 alone', answers: (_, type) => (type === A ? [four] : []), gives: ['8.8.8.8'] },
  { what: 'IPv6 alone', answers: (_, type) => (type === AAAA ? [six] : []), gives: ['2606:4700:4700::1'] },
  {
    what: 'one kind and an error',
    answers: (_, type) => (type === A ? [four] : SERVFAIL),
    gives: ['8.8.8.8'],
  },
];
for (const { what, answers, gives } of cases) {
  test(`a name with ${what} has those addresses`, async () => {
    expect(await ask([await serveDns(answers)])).toEqual(gives);
  });
}

test('a name that does not exist says so', async () => {
  await expect(ask([await serveDns(() => 3)])).rejects.toMatchObject({ code: 'ENOTFOUND' });
});

test('each request asks anew, for that name and no other', async () => {
  const asked: string[] = [];
  const server = await serveDns((name, type) => {
    asked.push(`${name} ${type}`);
    return type === A ? [four] : [];
  });
  await ask([server]);
  await ask([server]);
  expect(asked.sort()).toEqual(['site.test 1', 'site.test 1', 'site.test 28', 'site.test 28']);
});

test('a name that nobody answers for is given up when the fetch is', async () => {
  const abort = new AbortController();
  const server = await serveDns(() => {
    abort.abort();
    return undefined;
  });
  await expect(ask([server], abort.signal)).rejects.toMatchObject({ code: 'ECANCELLED' });
});

/** The process that reads long scripts (reader.ts), one after the other, and ends with the host. */
import { Worker } from 'node:worker_threads';
import { prepareNow } from './classic/prepare.ts';
import type { ReaderJob } from './reader.ts';
import { compile } from './syntax.ts';

process.on('message', (job: ReaderJob) => {
  process.send?.({ answer: job.kind === 'compile' ? compile(job.code) : prepareNow(job.text, job.name) });
});
process.on('disconnect', () => process.exit());

// Whoever compiles hears of no disconnect, for minutes and hours: another thread sees that the host is gone.
const watch = `
  const { pid, ppid } = process;
  setInterval(() => process.ppid === ppid || process.kill(pid, 'SIGKILL'), 500);`;
new Worker(watch, { eval: true, stdin: false }).unref();

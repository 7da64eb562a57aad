/** The process that reads long scripts (reader.ts), one after the other, and ends with the host. */
import { prepareNow } from './classic/prepare.ts';
import type { ReaderJob } from './reader.ts';
import { compile } from './syntax.ts';

process.on('message', (job: ReaderJob) => {
  process.send?.({ answer: job.kind === 'compile' ? compile(job.code) : prepareNow(job.text, job.name) });
});
process.on('disconnect', () => process.exit());

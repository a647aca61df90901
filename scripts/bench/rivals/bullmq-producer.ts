/** Who adds the jobs: `bullmq-producer.ts REDIS_PORT`. Takes how many from its parent, answers when all are in the queue. */
import { readersOf } from '../letter.ts';
import { loadBullMq, QUEUE } from './bullmq-library.ts';

/** Jobs added with one call. */
const BULK = 1_000;
/** A finished job is forgotten, as the readme of anybody who sends millions would say. */
const OPTIONS = { removeOnComplete: true, attempts: 3 };

const connection = { host: '127.0.0.1', port: Number(process.argv[2]) };
const queue = new (loadBullMq().Queue)(QUEUE, { connection });
await queue.waitUntilReady();

process.on('message', ({ mails }: { mails: number }) => void add(mails));
process.send?.('ready');

async function add(mails: number): Promise<void> {
  let jobs: { name: string; data: object; opts: object }[] = [];
  for (const reader of readersOf(mails)) {
    jobs.push({ name: 'mail', data: reader, opts: OPTIONS });
    if (jobs.length < BULK) continue;
    await queue.addBulk(jobs);
    jobs = [];
  }
  if (jobs.length > 0) await queue.addBulk(jobs);
  process.send?.('added');
}

/**
 * Who works the jobs off: `bullmq-worker.ts REDIS_PORT RELAY_HOST RELAY_PORT CONNECTIONS`. Is told the load by its parent, answers
 * when so many jobs are completed.
 */
import type { Load } from '../contenders/contender.ts';
import type { Letter, Reader } from '../letter.ts';
import { loadBullMq, QUEUE } from './bullmq-library.ts';
import { openPool, QUEUED_PER_CONNECTION } from './pool.ts';

const [redisPort, host = '', relayPort, connections] = process.argv.slice(2);
const send = openPool({ host, port: Number(relayPort) }, Number(connections));
let letter: Letter | undefined;
let remaining = 0;

const worker = new (loadBullMq().Worker)<Reader>(
  QUEUE,
  async ({ data }) => {
    if (letter === undefined) throw new Error('no letter');
    await send(letter, data);
  },
  {
    connection: { host: '127.0.0.1', port: Number(redisPort), maxRetriesPerRequest: null },
    concurrency: Number(connections) * QUEUED_PER_CONNECTION,
  },
);
worker.on('completed', () => {
  remaining--;
  if (remaining === 0) process.send?.('done');
});
worker.on('failed', (_job, error) => {
  throw error;
});
await worker.waitUntilReady();

process.on('message', (load: Load) => {
  letter = load.letter;
  remaining = load.mails;
});
process.send?.('ready');

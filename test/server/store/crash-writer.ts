import { openSqliteStore } from '../../../server/store/index.ts';
import { claim, deferred, MESSAGE, OPTIONS, recipients, settle, submit } from './fixture.ts';

/**
 * Writes until it is killed, and prints a line for everything that was acknowledged: `sent BATCH SEQ`, `deferred BATCH SEQ`,
 * `open ROWS`. The tasks of four workers, and an intake, run at the same time.
 */
const folder = process.argv[2] ?? '';
const store = openSqliteStore({ folder });
await store.start();
const batch = await submit(store, 100_000);
process.stdout.write(`batch ${batch}\n`);

async function work(): Promise<void> {
  for (;;) {
    const { task, seqs } = await claim(store, batch, 7);
    const [first, ...rest] = seqs;
    if (first === undefined) return;
    const sent = rest.map((seq) => [seq, seq] as const);
    await settle(store, task, { sent, outcomes: [deferred(first, 9e15)], done: true });
    process.stdout.write(`${rest.map((seq) => `sent ${seq}\n`).join('')}deferred ${first}\n`);
  }
}

async function takeIn(): Promise<void> {
  for (let round = 0; ; round++) {
    const uuid = `intake-${round}`;
    await store.openBatch({ uuid, message: MESSAGE, options: OPTIONS, createdAt: 1 });
    for (let from = 0; from < 1_000; from += 100)
      await store.addRecipients(uuid, from, recipients(from, 100));
    await store.commitBatch(uuid, {
      message: MESSAGE,
      total: 1_000,
      rejected: 0,
      duplicates: 0,
      fingerprint: '',
    });
    process.stdout.write(`committed ${uuid}\n`);
  }
}

await Promise.all([work(), work(), work(), work(), takeIn()]);

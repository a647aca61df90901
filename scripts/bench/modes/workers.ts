import type { Bench, Findings } from '../bench.ts';
import { allowsRound } from '../budget.ts';
import { allSent, Home, rowsOf } from '../contenders/home.ts';
import { letterOf, readersOf } from '../letter.ts';
import { type BenchSink, ownSink } from '../relays/sink.ts';
import { ratiosOf, rounded, type Spread, spreadOf } from '../statistics.ts';
import { figure, range, textTable } from '../text-table.ts';

const COUNTS = [1, 2, 4, 8];
/** Mails of each worker before, so that its speed is known and its connections are open. */
const WARM_UP_MAILS = 200;

interface WorkersRow {
  readonly name: string;
  readonly workers: number;
  readonly mailsPerSecond: Spread;
  /** Rate over that of one worker in the same round. */
  readonly timesOne: Spread;
}

/** More workers with a relay so far away that each is waiting most of the time; every worker gets as much. */
export async function measureWorkers(bench: Bench): Promise<Findings> {
  const { options, say, elapsedMs } = bench;
  const { mails, connections, latencyMs, rounds, budgetMs } = options;
  const sink = await ownSink(['--latency', String(latencyMs)]);
  try {
    say(`sink: ${sink.name}; ${mails} mails and ${connections} connections for each worker`);
    const rates = new Map<number, number[]>(COUNTS.map((count) => [count, []]));
    const roundsMs: number[] = [];
    while (roundsMs.length < rounds && allowsRound(roundsMs, elapsedMs(), budgetMs)) {
      const roundAt = performance.now();
      const line: string[] = [];
      for (const count of roundsMs.length % 2 === 0 ? COUNTS : COUNTS.toReversed()) {
        const rate = await rateOf(bench, sink, count);
        rates.get(count)?.push(rate);
        line.push(`${count} workers ${figure(Math.round(rate))}`);
      }
      roundsMs.push(performance.now() - roundAt);
      say(`round ${roundsMs.length}, mails/s: ${line.join(', ')}`);
    }
    const ofOne = rates.get(1) ?? [];
    const rows = COUNTS.map((count): WorkersRow => {
      const values = rates.get(count) ?? [];
      return {
        name: count === 1 ? '1 worker' : `${count} workers`,
        workers: count,
        mailsPerSecond: rounded(spreadOf(values), 1),
        timesOne: rounded(spreadOf(ratiosOf(values, ofOne)), 2),
      };
    });
    return {
      sink: sink.name,
      settings: { mailsPerWorker: mails, connectionsPerWorker: connections, latencyMs },
      rows,
      table: textTable(
        ['worker processes', 'mails/s', 'min–max', '× one', 'min–max'],
        rows.map(({ name, mailsPerSecond, timesOne }) => [
          name,
          figure(mailsPerSecond.median),
          range(mailsPerSecond.min, mailsPerSecond.max),
          timesOne.median.toFixed(2),
          `${timesOne.min.toFixed(2)}–${timesOne.max.toFixed(2)}`,
        ]),
      ),
    };
  } finally {
    await sink.stop();
  }
}

async function rateOf({ options, orInterrupted }: Bench, sink: BenchSink, count: number): Promise<number> {
  const letter = letterOf(options.bytes[0] ?? 0);
  const home = await Home.start({ relay: sink });
  try {
    for (let i = 0; i < count; i++)
      await orInterrupted(home.addWorker(['--connections', String(options.connections)]));
    const send = async (mails: number): Promise<number> => {
      const startedAt = performance.now();
      const { batch } = await home.client.submit(letter, () => rowsOf(readersOf(mails)));
      await allSent(home.client, batch);
      return mails / ((performance.now() - startedAt) / 1000);
    };
    await orInterrupted(send(WARM_UP_MAILS * count));
    return await orInterrupted(send(options.mails * count));
  } finally {
    await home.stop();
  }
}

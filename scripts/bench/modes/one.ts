import { startSink } from '../../../sink/sink.ts';
import type { Bench, Findings } from '../bench.ts';
import { allSent, Home, rowsOf } from '../contenders/home.ts';
import { letterOf, readersOf } from '../letter.ts';
import { quantile } from '../statistics.ts';
import { textTable } from '../text-table.ts';

/** Singles before the first that counts. */
const WARM_UP = 100;
/** Rest between two, so that the system is idle; ms. */
const REST_MS = 10;
/** A mail that does not come at all fails the run, ms. */
const WITHIN_MS = 30_000;

/** What one mail took, from the call of `submit`, ms. */
interface Single {
  /** Until the server has said that it is durable. */
  readonly acceptedMs: number;
  /** Until the relay's 250. */
  readonly sentMs: number;
  /** Until the client has heard that the result is stored. */
  readonly finishedMs: number;
}

/** One mail at a time on an idle system. The relay is in this process, so that its clock is the client's. */
export async function measureOne({ options, say, orInterrupted, elapsedMs }: Bench): Promise<Findings> {
  const { mails, bytes, connections, budgetMs } = options;
  const size = bytes[0] ?? 0;
  let relayed: () => void = () => {};
  const sink = await startSink({ port: 0 }, { message: () => relayed() });
  let home: Home | undefined;
  try {
    home = await Home.start({ relay: sink, store: options.store });
    await home.addWorker(['--connections', String(connections)]);
    const { client } = home;
    const letter = letterOf(size);
    say(
      `${mails} mails one by one, after ${WARM_UP} to warm up; each with a connection of its own to the server`,
    );
    const singles: Single[] = [];
    const readers = [...readersOf(mails + WARM_UP)];
    for (const [i, reader] of readers.entries()) {
      if (i > WARM_UP && elapsedMs() > budgetMs) break;
      const sent = Promise.withResolvers<number>();
      const startedAt = performance.now();
      relayed = () => sent.resolve(performance.now() - startedAt);
      const { batch } = await orInterrupted(client.submit(letter, [...rowsOf([reader])]));
      const acceptedMs = performance.now() - startedAt;
      const sentMs = await orInterrupted(inTime(sent.promise));
      await orInterrupted(allSent(client, batch));
      if (i >= WARM_UP) singles.push({ acceptedMs, sentMs, finishedMs: performance.now() - startedAt });
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
    const rows = [
      rowOf(
        'accepted and durable',
        singles.map(({ acceptedMs }) => acceptedMs),
      ),
      rowOf(
        "relay's 250",
        singles.map(({ sentMs }) => sentMs),
      ),
      rowOf(
        'stored, and the client knows',
        singles.map(({ finishedMs }) => finishedMs),
      ),
    ];
    return {
      sink: "Mutirão's own sink, in the client's process",
      settings: { mails: singles.length, bytes: size, connections },
      rows,
      table: textTable(
        ['ms from the call of submit to', 'mails', 'p50', 'p90', 'p99', 'max'],
        rows.map(({ name, mails: count, ...ms }) => [
          name,
          String(count),
          ...[ms.p50Ms, ms.p90Ms, ms.p99Ms, ms.maxMs].map((value) => value.toFixed(2)),
        ]),
      ),
    };
  } finally {
    await home?.stop();
    await sink.stop();
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`a mail did not come within ${WITHIN_MS} ms`)), WITHIN_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function rowOf(name: string, values: readonly number[]) {
  const at = (share: number): number => Number(quantile(values, share).toFixed(3));
  return { name, mails: values.length, p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), maxMs: at(1) };
}

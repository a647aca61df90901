import type { Bench, Findings } from '../bench.ts';
import { allowsRound } from '../budget.ts';
import { allSent, Home, rowsOf } from '../contenders/home.ts';
import { letterOf, readersOf } from '../letter.ts';
import { type Accepted, Scribe } from '../relays/scribe.ts';
import { rounded, type Spread, spreadOf } from '../statistics.ts';
import { figure, range, textTable } from '../text-table.ts';

const SERVERS = 3;
const WORKERS_EACH = 3;
/** Nobody is kept at home, so that the pooled capacity is what all workers can do. */
const MESH_ARGS = ['--keep-home', '0'];
const WARM_UP_MAILS = 900;
/** The part of a batch over which the rate is taken: after the loans are made, before the end. Shares of its mails. */
const STEADY = { from: 0.3, to: 0.9 };
/** Longest wait for peers to see each other, and for workers to come home; ms. */
const WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 50;

interface LendRow {
  readonly name: string;
  /** From the acknowledgement of the batch that saturates the server to the relay's 250 for a borrowed worker's first mail. */
  readonly firstBorrowedMs: Spread;
  readonly pooledMailsPerSecond: Spread;
  readonly loadedMailsPerSecond: Spread;
  /** Of the pooled capacity, %: once the loans are made, and over the whole batch from SUBMIT to the last result. */
  readonly sharePercent: Spread;
  readonly shareOverallPercent: Spread;
}

interface Round {
  readonly firstBorrowedMs: number;
  readonly pooled: number;
  readonly loaded: number;
  readonly overall: number;
}

/** Three servers with three workers each: first all have work, then only the first has, and borrows the others' workers. */
export async function measureLending(bench: Bench): Promise<Findings> {
  const { options, say, orInterrupted, elapsedMs } = bench;
  const { mails, connections, latencyMs, rounds, budgetMs } = options;
  const scribe = await Scribe.start(latencyMs);
  const homes: Home[] = [];
  try {
    await orInterrupted(raise(homes, scribe, connections));
    say(
      `${SERVERS} servers with ${WORKERS_EACH} workers of ${connections} connections each, relay ${latencyMs} ms away, ${mails} mails`,
    );
    const found: Round[] = [];
    const roundsMs: number[] = [];
    while (found.length < rounds && allowsRound(roundsMs, elapsedMs(), budgetMs)) {
      const roundAt = performance.now();
      const round = await orInterrupted(measureRound(bench, homes, scribe));
      found.push(round);
      say(
        `round ${found.length}: first borrowed mail after ${figure(round.firstBorrowedMs)} ms, ${figure(round.loaded)} of ${figure(round.pooled)} mails/s`,
      );
      roundsMs.push(performance.now() - roundAt);
    }
    const row = rowOf(found);
    return {
      sink: `a relay in the benchmark's process, ${latencyMs} ms away`,
      settings: {
        servers: SERVERS,
        workersEach: WORKERS_EACH,
        connections,
        latencyMs,
        mails,
        args: MESH_ARGS,
      },
      rows: [row],
      table: tableOf(row),
    };
  } finally {
    await Promise.all(homes.map((home) => home.stop()));
    await scribe.stop();
  }
}

async function raise(homes: Home[], scribe: Scribe, connections: number): Promise<void> {
  for (let i = 0; i < SERVERS; i++) {
    const first = homes[0];
    const peer = first === undefined ? [] : ['--peer', first.url];
    homes.push(await Home.start({ relay: scribe, args: [...MESH_ARGS, ...peer] }));
  }
  for (const [i, home] of homes.entries()) {
    for (let j = 0; j < WORKERS_EACH; j++)
      await home.addWorker(['--connections', String(connections), '--helo-name', nameOf(i, j)]);
  }
  await until('the servers know each other', homes, ({ peers }) => {
    return peers.filter(({ state }) => state === 'alive').length === SERVERS - 1;
  });
}

const nameOf = (home: number, worker: number): string =>
  `home${home + 1}-worker${worker + 1}.bench.example.org`;

async function measureRound({ options }: Bench, homes: readonly Home[], scribe: Scribe): Promise<Round> {
  const letter = letterOf(options.bytes[0] ?? 0);
  const send = async (home: Home, mails: number): Promise<{ acceptedAt: number; seconds: number }> => {
    const startedAt = performance.now();
    const { batch } = await home.client.submit(letter, () => rowsOf(readersOf(mails)));
    const acceptedAt = performance.now();
    await allSent(home.client, batch);
    return { acceptedAt, seconds: (performance.now() - startedAt) / 1000 };
  };
  const everywhere = async (mails: number): Promise<void> => {
    scribe.clear();
    await Promise.all(homes.map((home) => send(home, Math.round(mails / homes.length))));
    await until('everyone is home', homes, ({ lent, borrowed, expected }) => {
      return lent.length === 0 && borrowed.length === 0 && expected === 0;
    });
  };
  // Every worker's speed is known before anything is timed.
  await everywhere(WARM_UP_MAILS);
  await everywhere(options.mails);
  const pooled = steadyRate(scribe.accepted);
  scribe.clear();
  const [loadedHome] = homes;
  if (loadedHome === undefined) throw new Error('no server');
  const { acceptedAt, seconds } = await send(loadedHome, options.mails);
  const own = nameOf(0, 0).slice(0, 'home1-'.length);
  const borrowed = scribe.accepted.find(({ sender }) => !sender.startsWith(own));
  if (borrowed === undefined) throw new Error('no worker was borrowed; is the batch too small?');
  const round: Round = {
    firstBorrowedMs: borrowed.at - acceptedAt,
    pooled,
    loaded: steadyRate(scribe.accepted),
    overall: options.mails / seconds,
  };
  await until('everyone is home', homes, ({ lent }) => lent.length === 0);
  return round;
}

function steadyRate(accepted: readonly Accepted[]): number {
  const from = Math.floor(accepted.length * STEADY.from);
  const to = Math.floor(accepted.length * STEADY.to);
  const begin = accepted[from];
  const end = accepted[to];
  if (begin === undefined || end === undefined) throw new Error('too few mails');
  return (to - from) / ((end.at - begin.at) / 1000);
}

/** As much of a server's account of its mesh as is looked at. */
interface Mesh {
  readonly peers: readonly { readonly state: string }[];
  readonly lent: readonly unknown[];
  readonly borrowed: readonly unknown[];
  readonly expected: number;
}

async function until(what: string, homes: readonly Home[], isSo: (mesh: Mesh) => boolean): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  for (;;) {
    const all = await Promise.all(homes.map(({ client }) => client.server()));
    if (all.every(({ mesh }) => isSo(mesh as Mesh))) return;
    if (performance.now() > deadline) throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function rowOf(found: readonly Round[]): LendRow {
  const over = (read: (round: Round) => number, decimals: number): Spread =>
    rounded(spreadOf(found.map(read)), decimals);
  return {
    name: 'mutirao',
    firstBorrowedMs: over(({ firstBorrowedMs }) => firstBorrowedMs, 0),
    pooledMailsPerSecond: over(({ pooled }) => pooled, 0),
    loadedMailsPerSecond: over(({ loaded }) => loaded, 0),
    sharePercent: over(({ loaded, pooled }) => (loaded / pooled) * 100, 1),
    shareOverallPercent: over(({ overall, pooled }) => (overall / pooled) * 100, 1),
  };
}

function tableOf(row: LendRow): string[] {
  const line = (name: string, { median, min, max }: Spread): string[] => [
    name,
    figure(median),
    range(min, max),
  ];
  return textTable(
    ['all load on one of three servers', 'median', 'min–max'],
    [
      line('first mail by a borrowed worker, ms after the batch was accepted', row.firstBorrowedMs),
      line('mails/s, load spread over all', row.pooledMailsPerSecond),
      line('mails/s, load on one, loans made', row.loadedMailsPerSecond),
      line('share of the pooled capacity, %', row.sharePercent),
      line('share over the whole batch, %', row.shareOverallPercent),
    ],
  );
}

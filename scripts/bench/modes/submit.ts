import type { Row, Submission } from '../../../client/index.ts';
import type { Bench, Findings } from '../bench.ts';
import { allowsRound } from '../budget.ts';
import { allSent, Home, rowsOf } from '../contenders/home.ts';
import { FROM, letterOf, readersOf } from '../letter.ts';
import { rounded, type Spread, spreadOf } from '../statistics.ts';
import { figure, range, textTable } from '../text-table.ts';
import { cpuOver, peakRssMBOf, rssMBOf } from '../usage.ts';
import { emptyHollow, type HollowTask } from './hollow-worker.ts';

/** Nobody listens there: nothing is sent here. */
const NOWHERE = { host: '127.0.0.1', port: 9 };
/** Part of a batch that is its beginning, and its end. */
const TENTH = 0.1;

interface Kind {
  readonly name: string;
  readonly submission: Submission;
  rows(count: number): Iterable<Row>;
}

const KINDS: readonly Kind[] = [
  {
    name: 'addresses',
    submission: { from: FROM, subject: 'News', text: 'The café is open again.\n' },
    *rows(count) {
      for (const { address } of readersOf(count)) yield { address };
    },
  },
  {
    name: 'three variables each',
    submission: letterOf(2_048),
    rows: (count) => rowsOf(readersOf(count)),
  },
];

interface Intake {
  readonly seconds: number;
  readonly cpuMicros: { readonly server: number; readonly client: number } | undefined;
  /** Before, when accepted, and over the whole life until the last recipient is settled; MB. */
  readonly rssMB: readonly [
    before: number | undefined,
    peakIntake: number | undefined,
    peak: number | undefined,
  ];
  readonly tasks: readonly HollowTask[];
  readonly emptySeconds: number;
}

/** Intake over a real WebSocket into a new store; then the batch is emptied by a worker that sends nothing. */
export async function measureSubmit(bench: Bench): Promise<Findings> {
  const { options, say, elapsedMs } = bench;
  const { recipients } = options;
  say(`${recipients} recipients by one client; nothing is sent`);
  const found = new Map<Kind, Intake[]>(KINDS.map((kind) => [kind, []]));
  const roundsMs: number[] = [];
  // Ten million need minutes: one round.
  const rounds = recipients > 2_000_000 ? 1 : options.rounds;
  while (roundsMs.length < rounds && allowsRound(roundsMs, elapsedMs(), options.budgetMs)) {
    const roundAt = performance.now();
    for (const kind of KINDS) {
      const intake = await takeIn(bench, kind, recipients);
      found.get(kind)?.push(intake);
      const { seconds, emptySeconds } = intake;
      say(`${kind.name}: accepted in ${figure(seconds)} s, emptied in ${figure(emptySeconds)} s`);
    }
    roundsMs.push(performance.now() - roundAt);
  }
  const rows = KINDS.map((kind) => rowOf(kind.name, recipients, found.get(kind) ?? []));
  return {
    sink: 'none',
    settings: { recipients },
    rows,
    table: [...intakeTable(rows), '', ...serverTable(rows)],
  };
}

async function takeIn({ options, orInterrupted }: Bench, kind: Kind, recipients: number): Promise<Intake> {
  const home = await Home.start({ relay: NOWHERE, store: options.store });
  try {
    const { client, pids, url } = home;
    const before = rssMBOf(pids.server);
    let seconds = 0;
    let batch = '';
    const cpuMicros = await cpuOver({ server: pids.server, client: [process.pid] }, async () => {
      const startedAt = performance.now();
      const submitted = await orInterrupted(client.submit(kind.submission, () => kind.rows(recipients)));
      seconds = (performance.now() - startedAt) / 1000;
      batch = submitted.batch;
      if (submitted.accepted !== recipients) throw new Error(`only ${submitted.accepted} were accepted`);
    });
    const peakIntake = peakRssMBOf(pids.server);
    let isOver = false;
    const emptiedAt = performance.now();
    const over = allSent(client, batch).finally(() => {
      isOver = true;
    });
    const tasks = await orInterrupted(
      emptyHollow(url, () => isOver || performance.now() - emptiedAt > 3.6e6),
    );
    await orInterrupted(over);
    const emptySeconds = (performance.now() - emptiedAt) / 1000;
    return { seconds, cpuMicros, rssMB: [before, peakIntake, peakRssMBOf(pids.server)], tasks, emptySeconds };
  } finally {
    await home.stop();
  }
}

interface IntakeRow {
  readonly name: string;
  readonly recipients: number;
  readonly seconds: Spread;
  readonly recipientsPerSecond: Spread;
  readonly serverCpuMicrosPerRecipient: number | null;
  readonly clientCpuMicrosPerRecipient: number | null;
  readonly serverRssMBBefore: number | null;
  readonly serverRssMB: number | null;
  readonly serverRssMBWithClaims: number | null;
  readonly settledPerSecond: Spread;
  readonly claimMsFirstTenth: number;
  readonly claimMsLastTenth: number;
  readonly settleMsFirstTenth: number;
  readonly settleMsLastTenth: number;
}

function rowOf(name: string, recipients: number, intakes: readonly Intake[]): IntakeRow {
  const over = (read: (intake: Intake) => number): Spread => spreadOf(intakes.map(read));
  const cpu = (part: 'server' | 'client'): number | null => {
    const values = intakes.flatMap(({ cpuMicros }) => (cpuMicros === undefined ? [] : [cpuMicros[part]]));
    return values.length === 0
      ? null
      : rounded(spreadOf(values.map((value) => value / recipients)), 2).median;
  };
  const rss = (which: 0 | 1 | 2): number | null => {
    const values = intakes.flatMap(({ rssMB }) => rssMB[which] ?? []);
    return values.length === 0 ? null : Math.round(Math.max(...values));
  };
  const tenth = (read: (task: HollowTask) => number, last: boolean): number =>
    rounded(
      over(({ tasks }) => {
        const count = Math.ceil(tasks.length * TENTH);
        return spreadOf((last ? tasks.slice(-count) : tasks.slice(0, count)).map(read)).median;
      }),
      2,
    ).median;
  return {
    name,
    recipients,
    seconds: rounded(
      over(({ seconds }) => seconds),
      2,
    ),
    recipientsPerSecond: rounded(
      over(({ seconds }) => recipients / seconds),
      0,
    ),
    serverCpuMicrosPerRecipient: cpu('server'),
    clientCpuMicrosPerRecipient: cpu('client'),
    serverRssMBBefore: rss(0),
    serverRssMB: rss(1),
    serverRssMBWithClaims: rss(2),
    settledPerSecond: rounded(
      over(({ emptySeconds }) => recipients / emptySeconds),
      0,
    ),
    claimMsFirstTenth: tenth(({ claimMs }) => claimMs, false),
    claimMsLastTenth: tenth(({ claimMs }) => claimMs, true),
    settleMsFirstTenth: tenth(({ settleMs }) => settleMs, false),
    settleMsLastTenth: tenth(({ settleMs }) => settleMs, true),
  };
}

function intakeTable(rows: readonly IntakeRow[]): string[] {
  return textTable(
    [
      'intake',
      'recipients',
      'seconds',
      'min–max',
      'recipients/s',
      'server µs each',
      'client µs each',
      'server peak RSS MB',
    ],
    rows.map((row) => [
      row.name,
      figure(row.recipients),
      row.seconds.median.toFixed(2),
      `${row.seconds.min.toFixed(2)}–${row.seconds.max.toFixed(2)}`,
      figure(row.recipientsPerSecond.median),
      figure(row.serverCpuMicrosPerRecipient),
      figure(row.clientCpuMicrosPerRecipient),
      figure(row.serverRssMB),
    ]),
  );
}

function serverTable(rows: readonly IntakeRow[]): string[] {
  return textTable(
    [
      ...['emptied by a worker that sends nothing', 'settled/s', 'min–max'],
      ...[
        'claim ms, first tenth',
        'last tenth',
        'settle ms, first tenth',
        'last tenth',
        'server peak RSS MB',
      ],
    ],
    rows.map((row) => [
      row.name,
      figure(row.settledPerSecond.median),
      range(row.settledPerSecond.min, row.settledPerSecond.max),
      row.claimMsFirstTenth.toFixed(2),
      row.claimMsLastTenth.toFixed(2),
      row.settleMsFirstTenth.toFixed(2),
      row.settleMsLastTenth.toFixed(2),
      figure(row.serverRssMBWithClaims),
    ]),
  );
}

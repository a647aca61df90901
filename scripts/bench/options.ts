import { parseArgs } from 'node:util';

/** What is measured. `compare`: the contenders side by side, without a flag of its own. */
export const MODES = ['compare', 'latency', 'submit', 'one', 'lend', 'workers', 'idle', 'dkim'] as const;
export type Mode = (typeof MODES)[number];

/** Where the batches are kept. */
export const STORE_KINDS = ['sqlite', 'postgres'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** What can be measured with a PostgreSQL. */
const WITH_POSTGRES: ReadonlySet<Mode> = new Set(['compare', 'submit', 'one']);

/** What is measured, and how often. */
export interface BenchOptions {
  readonly mode: Mode;
  /** Mails per round of the fastest contenders, or of each worker; each mode has its own. */
  readonly mails: number;
  /** They were asked for: large mail does not make them fewer. */
  readonly mailsGiven: boolean;
  readonly rounds: number;
  /** Sizes of the composed message, bytes; measured one after the other. */
  readonly bytes: readonly number[];
  /** SMTP connections of every contender, or of each worker. */
  readonly connections: number;
  /** Worker processes of ours. */
  readonly processes: number;
  /** Way to the relay and back, ms. */
  readonly latencyMs: number;
  readonly store: StoreKind;
  /** Recipients of a submission. */
  readonly recipients: number;
  /** No further round is begun that would end later than this after the start; ms. */
  readonly budgetMs: number;
  /** Fetches nothing: whoever needs what is not installed is skipped. */
  readonly offline: boolean;
  /** Prints the results as JSON in the last line. */
  readonly json: boolean;
  /** Writes the results as JSON into this file. */
  readonly out: string | undefined;
  readonly help: boolean;
}

export const HELP = `npm run bench -- [what] [options]

Without "what": sends personalised mail into a sink with Mutirão, end to end, and with what one would use instead, taking
turns. Fetches what is not installed (BullMQ from npm; Redis and Postfix as Debian packages), installing nothing.

What:
  --latency MS      the same with a relay that far away (round trip), Mutirão and nodemailer's pool
  --submit          how fast recipients are accepted and durable, and what the server needs for it
  --one             a single mail on an idle system: from SUBMIT to the relay's 250
  --lend            how soon and how well a loaded server uses its neighbours' workers
  --workers         1, 2, 4 and 8 workers with a relay that is far away
  --idle            what 2,000 idle workers cost their server
  --dkim            signed mail beside mail that is not, Mutirão and nodemailer's pool

Options:
  --quick           fewer rounds, under 50 s
  --mails N         mails per round (default 100000, fewer of large ones; slow rivals send less)
  --rounds N        rounds; each lets every contender send once (default 5)
  --bytes N         size of a composed mail (default 2048); may be given several times
  --connections N   SMTP connections of every contender (default 20)
  --processes N     worker processes of ours (default 1)
  --store KIND      sqlite or postgres, which is started along (default sqlite); not with every "what"
  --recipients N    for --submit (default 1000000)
  --offline         fetch nothing, skip who needs it
  --json            print the results as JSON in the last line
  --out FILE        write the results as JSON into FILE
`;

interface Defaults {
  readonly mails: number;
  readonly rounds: number;
  readonly connections: number;
  readonly latencyMs: number;
}

/** Chosen so that each takes about a minute. */
const DEFAULTS: Readonly<Record<Mode, Defaults>> = {
  compare: { mails: 100_000, rounds: 5, connections: 20, latencyMs: 0 },
  latency: { mails: 2_000, rounds: 4, connections: 20, latencyMs: 50 },
  submit: { mails: 0, rounds: 3, connections: 20, latencyMs: 0 },
  one: { mails: 1_000, rounds: 1, connections: 20, latencyMs: 0 },
  lend: { mails: 10_000, rounds: 2, connections: 5, latencyMs: 50 },
  workers: { mails: 600, rounds: 2, connections: 5, latencyMs: 50 },
  idle: { mails: 0, rounds: 1, connections: 20, latencyMs: 0 },
  dkim: { mails: 40_000, rounds: 5, connections: 20, latencyMs: 0 },
};

/** What --quick leaves of them. */
const QUICK: Readonly<Record<Mode, Partial<Defaults>>> = {
  compare: { mails: 40_000 },
  latency: { rounds: 2 },
  submit: { rounds: 1 },
  one: { mails: 400 },
  lend: { rounds: 1 },
  workers: { rounds: 1, mails: 400 },
  idle: {},
  dkim: { mails: 20_000 },
};
/** What is left to 50 s is for starting, stopping and the warm-up. */
const QUICK_BUDGET_MS = 36_000;

/** @throws TypeError naming the flag that is wrong */
export function optionsOf(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      latency: { type: 'string' },
      submit: { type: 'boolean', default: false },
      one: { type: 'boolean', default: false },
      lend: { type: 'boolean', default: false },
      workers: { type: 'boolean', default: false },
      idle: { type: 'boolean', default: false },
      dkim: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      mails: { type: 'string' },
      rounds: { type: 'string' },
      bytes: { type: 'string', multiple: true, default: ['2048'] },
      connections: { type: 'string' },
      processes: { type: 'string', default: '1' },
      recipients: { type: 'string', default: '1000000' },
      store: { type: 'string', default: 'sqlite' },
      offline: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const asked = MODES.filter(
    (mode) => mode !== 'compare' && values[mode] !== undefined && values[mode] !== false,
  );
  const [mode = 'compare', other] = asked;
  if (other !== undefined) throw new TypeError(`--${mode} and --${other}: one thing at a time`);
  const store = STORE_KINDS.find((kind) => kind === values.store);
  if (store === undefined) throw new TypeError(`--store ${values.store}: must be sqlite or postgres`);
  if (store === 'postgres' && !WITH_POSTGRES.has(mode))
    throw new TypeError(`--store postgres: not with --${mode}`);
  const base = { ...DEFAULTS[mode], ...(values.quick ? QUICK[mode] : {}) };
  return {
    mode,
    mails: values.mails === undefined ? base.mails : whole('mails', values.mails, 1, 10_000_000),
    mailsGiven: values.mails !== undefined,
    rounds: values.rounds === undefined ? base.rounds : whole('rounds', values.rounds, 1, 1_000),
    budgetMs: values.quick ? QUICK_BUDGET_MS : Number.POSITIVE_INFINITY,
    bytes: values.bytes.map((text) => whole('bytes', text, 1_500, 1_000_000)),
    connections:
      values.connections === undefined
        ? base.connections
        : whole('connections', values.connections, 1, 1_000),
    processes: whole('processes', values.processes, 1, 64),
    latencyMs: values.latency === undefined ? base.latencyMs : whole('latency', values.latency, 1, 10_000),
    recipients: whole('recipients', values.recipients, 1_000, 100_000_000),
    store,
    offline: values.offline,
    json: values.json,
    out: values.out,
    help: values.help,
  };
}

function whole(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new TypeError(`--${flag} ${text}: must be a whole number from ${min} to ${max}`);
  return value;
}

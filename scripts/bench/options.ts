import { parseArgs } from 'node:util';

/** What is measured, and how often. */
export interface BenchOptions {
  /** Mails per contender and round. */
  readonly mails: number;
  readonly rounds: number;
  /** Sizes of the composed message, bytes; measured one after the other. */
  readonly bytes: readonly number[];
  /** SMTP connections of every contender. */
  readonly connections: number;
  /** Worker processes of ours. */
  readonly workers: number;
  /** No further round is begun that would end later than this after the start; ms. */
  readonly budgetMs: number;
  /** Prints the results as JSON in the last line. */
  readonly json: boolean;
  /** Writes the results as JSON into this file. */
  readonly out: string | undefined;
  readonly help: boolean;
}

export const HELP = `npm run bench -- [options]

Sends personalised mail into a sink with Mutirão, end to end, and with nodemailer, taking turns.

  --quick           5,000 mails, at most 5 rounds, under 50 s
  --mails N         mails per contender and round (default 20000)
  --rounds N        rounds; each lets every contender send once (default 5)
  --bytes N         size of a composed mail (default 2048); may be given several times
  --connections N   SMTP connections of every contender (default 20)
  --workers N       worker processes of ours (default 1)
  --json            print the results as JSON in the last line
  --out FILE        write the results as JSON into FILE
`;

const FULL = { mails: 20_000, rounds: 5, budgetMs: Number.POSITIVE_INFINITY } as const;
/** What is left to 50 s is for starting, stopping and the warm-up. */
const QUICK = { mails: 5_000, rounds: 5, budgetMs: 38_000 } as const;

/** @throws TypeError naming the flag that is wrong */
export function optionsOf(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      mails: { type: 'string' },
      rounds: { type: 'string' },
      bytes: { type: 'string', multiple: true, default: ['2048'] },
      connections: { type: 'string', default: '20' },
      workers: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const base = values.quick ? QUICK : FULL;
  return {
    mails: values.mails === undefined ? base.mails : whole('mails', values.mails, 1, 10_000_000),
    rounds: values.rounds === undefined ? base.rounds : whole('rounds', values.rounds, 1, 1_000),
    budgetMs: base.budgetMs,
    bytes: values.bytes.map((text) => whole('bytes', text, 1_500, 1_000_000)),
    connections: whole('connections', values.connections, 1, 1_000),
    workers: whole('workers', values.workers, 1, 64),
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

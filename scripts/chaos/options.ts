import { parseArgs } from 'node:util';

export const STORES = ['sqlite', 'postgres'] as const;
export type StoreKind = (typeof STORES)[number];

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly recipients: number;
  readonly servers: number;
  readonly workers: number;
  readonly store: StoreKind;
  readonly json: boolean;
  /** Keeps the logs and stores also when all is well. */
  readonly keep: boolean;
  readonly help: boolean;
}

/** Recipients for every second of a run, unless their number is given: workers are busy most of the time, and can catch up. */
const RECIPIENTS_PER_SECOND = 500;

export const HELP = `npm run chaos -- [options]

Starts servers, workers and two relays as real processes, submits batches, and meanwhile kills them, stops them for longer than a lease, and
spoils every line between them: at least three faults a second. Then compares what the relays have with what the stores say: nothing may be
lost, and no mail may be out twice without its store knowing. Exit code 1 when a rule is broken; then logs and stores are kept.

  --seconds N       how long faults run (default 60)
  --seed N          which faults, and when; the same seed chooses the same ones (default 1)
  --recipients N    over all batches (default ${RECIPIENTS_PER_SECOND} for every second)
  --servers N       (default 3)
  --workers N       (default 6)
  --store KIND      sqlite: a file per server; postgres: one database for all (default sqlite)
  --json            print the result as JSON in the last line
  --keep            keep logs and stores in any case
`;

export class ChaosOptionError extends Error {
  override readonly name = 'ChaosOptionError';
  readonly code = 'CHAOS_OPTION';
}

/** @throws ChaosOptionError that says which flag is wrong and what is allowed */
export function chaosOptions(args: readonly string[]): ChaosOptions {
  const { values } = parsed(args);
  const whole = (
    name: 'seconds' | 'seed' | 'recipients' | 'servers' | 'workers',
    fallback: number,
    least: number,
    most: number,
  ): number => {
    const text = values[name] ?? String(fallback);
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new ChaosOptionError(`--${name} ${text}: give a whole number from ${least} to ${most}`);
    return value;
  };
  const store = STORES.find((kind) => kind === (values.store ?? 'sqlite'));
  if (store === undefined)
    throw new ChaosOptionError(`--store ${values.store}: give one of ${STORES.join(', ')}`);
  const seconds = whole('seconds', 60, 1, 86_400);
  return {
    seconds,
    seed: whole('seed', 1, 0, 0xffffffff),
    recipients: whole('recipients', seconds * RECIPIENTS_PER_SECOND, 1, 10_000_000),
    servers: whole('servers', 3, 1, 20),
    workers: whole('workers', 6, 1, 100),
    store,
    json: values.json ?? false,
    keep: values.keep ?? false,
    help: values.help ?? false,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ seconds: text, seed: text, recipients: text, servers: text, workers: text, store: text },
        ...{ json: flag, keep: flag, help: { ...flag, short: 'h' } },
      },
    });
  } catch (cause) {
    throw new ChaosOptionError((cause as Error).message, { cause });
  }
}

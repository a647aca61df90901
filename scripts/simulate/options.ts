import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { BUGS } from './bugs.ts';

export interface SimulateOptions {
  /** First seed, and how many follow each other. */
  readonly from: number;
  readonly seeds: number;
  /** Name of a deliberate mistake. */
  readonly bug: string | undefined;
  readonly threads: number;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
}

const MOST_SEEDS = 100_000_000;

export const HELP = `npm run simulate -- [options]

Plays stories of servers, workers, relays and clients under virtual time, one per seed: the program's own policies and state machines on a
network, disks and relays that break. Checks at every step what must hold. The same seed tells the same story. Exit code 1 when
something did not hold.

  --seeds N     how many stories (default 300)
  --from N      the seed of the first (default 1)
  --seed N      only this story
  --verbose     with --seed: every fault and every line of every log
  --bug NAME    puts a mistake in, and stops when it is noticed; one of
                ${Object.keys(BUGS).join(', ')}
  --threads N   (default: one per processor)
  --json        print the result as JSON in the last line
`;

export class SimulateOptionError extends Error {
  override readonly name = 'SimulateOptionError';
  readonly code = 'SIMULATE_OPTION';
}

/** @throws SimulateOptionError that says which flag is wrong and what is allowed */
export function simulateOptions(args: readonly string[]): SimulateOptions {
  const { values } = parsed(args);
  const whole = (name: 'seeds' | 'seed' | 'from' | 'threads', fallback: number, least: number): number => {
    const text = values[name] ?? String(fallback);
    if (!/^\d{1,9}$/.test(text) || Number(text) < least || Number(text) > MOST_SEEDS)
      throw new SimulateOptionError(`--${name} ${text}: give a whole number from ${least} to ${MOST_SEEDS}`);
    return Number(text);
  };
  const { bug, seed, verbose = false } = values;
  if (bug !== undefined && BUGS[bug] === undefined)
    throw new SimulateOptionError(`--bug ${bug}: give one of ${Object.keys(BUGS).join(', ')}`);
  if (verbose && seed === undefined)
    throw new SimulateOptionError('--verbose tells one story: give its --seed');
  if (seed !== undefined && (values.seeds !== undefined || values.from !== undefined))
    throw new SimulateOptionError('--seed is one story: give either it, or --seeds and --from');
  return {
    from: seed === undefined ? whole('from', 1, 0) : whole('seed', 1, 0),
    seeds: seed === undefined ? whole('seeds', 300, 1) : 1,
    bug,
    threads: whole('threads', availableParallelism(), 1),
    json: values.json ?? false,
    verbose,
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
        seeds: text,
        from: text,
        seed: text,
        bug: text,
        threads: text,
        json: flag,
        verbose: flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new SimulateOptionError((error as Error).message);
  }
}

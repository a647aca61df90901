import type { Bench, Skipped } from '../bench.ts';
import { allowsRound } from '../budget.ts';
import { type Contender, type Sample, Unavailable } from '../contenders/contender.ts';
import { letterOf } from '../letter.ts';
import type { Rounds } from '../results.ts';
import { cpuMicrosOf } from '../usage.ts';

/** A contender, and how much of the load it gets: slow ones less, so that everybody is busy for about as long. */
export interface Entrant {
  readonly contender: Contender;
  /** 0 to 1. */
  readonly share: number;
}

export interface Turns {
  readonly rounds: readonly Rounds[];
  readonly skipped: readonly Skipped[];
}

/** What is sent in every round by those with a whole share. */
export interface TurnLoad {
  readonly bytes: number;
  readonly mails: number;
  /** Part of a round that everybody sends before the first. */
  readonly warmUp: number;
}

/**
 * All contenders with mail of one size, round by round. Who cannot take part is skipped. With the sink's process, its part in the
 * cost is told too.
 */
export async function takeTurns(
  { options, say, orInterrupted, elapsedMs }: Bench,
  entrants: readonly Entrant[],
  { bytes, mails, warmUp }: TurnLoad,
  sinkPid?: number,
): Promise<Turns> {
  const { rounds, budgetMs } = options;
  const letter = letterOf(bytes);
  const loadOf = ({ share }: Entrant, part = 1) => ({
    mails: Math.max(1, Math.round(mails * share * part)),
    letter,
  });
  const turnOf = async (entrant: Entrant): Promise<Sample> => {
    const before = sinkPid === undefined ? undefined : cpuMicrosOf([sinkPid]);
    const sample = await orInterrupted(entrant.contender.round(loadOf(entrant)));
    const after = sinkPid === undefined ? undefined : cpuMicrosOf([sinkPid]);
    if (before === undefined || after === undefined || sample.cpuMicros === undefined) return sample;
    return { ...sample, cpuMicros: { ...sample.cpuMicros, sink: after - before } };
  };
  const skipped: Skipped[] = [];
  const taking: { readonly entrant: Entrant; readonly samples: Sample[] }[] = [];
  try {
    for (const entrant of entrants) {
      const { contender } = entrant;
      const reason = await orInterrupted(reasonNotToStart(contender));
      if (reason !== undefined) {
        skipped.push({ name: contender.name, reason });
        say(`${contender.name} is skipped: ${reason}`);
        continue;
      }
      taking.push({ entrant, samples: [] });
      await orInterrupted(contender.round(loadOf(entrant, warmUp)));
    }
    const roundsMs: number[] = [];
    while (roundsMs.length < rounds && allowsRound(roundsMs, elapsedMs(), budgetMs)) {
      const roundAt = performance.now();
      const line: string[] = [];
      // Whoever comes first in one round comes last in the next.
      for (const { entrant, samples } of roundsMs.length % 2 === 0 ? taking : taking.toReversed()) {
        const sample = await turnOf(entrant);
        samples.push(sample);
        line.push(`${entrant.contender.name} ${Math.round(sample.mails / sample.seconds)}`);
      }
      roundsMs.push(performance.now() - roundAt);
      say(`${bytes} bytes, round ${roundsMs.length}, mails/s: ${line.join(', ')}`);
    }
    return {
      skipped,
      rounds: taking.map(({ entrant: { contender }, samples }) => ({
        name: contender.name,
        bytes,
        samples,
        peakRssMB: contender.peakRssMB(),
      })),
    };
  } finally {
    for (const { contender } of entrants) await contender.stop();
  }
}

async function reasonNotToStart(contender: Contender): Promise<string | undefined> {
  try {
    await contender.start();
    return undefined;
  } catch (error) {
    if (error instanceof Unavailable) return error.message;
    throw error;
  }
}

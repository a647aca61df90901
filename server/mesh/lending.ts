import type { HomeWorker } from './ports.ts';

/** Why a server lends nothing; carried as REASON of the NACK. */
export type LendRefusal =
  /** It has more work than workers itself, or work that its idle workers are about to take. */
  | 'BUSY'
  /** It has borrowed workers, or asked for some, or had some a moment ago. */
  | 'BORROWING'
  /** It has no idle worker that may go. */
  | 'NONE_IDLE'
  /** Its last `keepHome` workers stay. */
  | 'KEEPS_LAST'
  /** The asker has its share; the rest is for others that need it. */
  | 'SHARE_USED';

export interface LendInput {
  /** Monotonic ms. */
  readonly now: number;
  readonly borrower: string;
  readonly asked: number;
  /** Own workers connected at home, without those that were redirected and have not left yet. */
  readonly atHome: readonly HomeWorker[];
  readonly keepHome: number;
  /** Saturated, or with more work ready than its workers do in a moment. */
  readonly busy: boolean;
  /** Borrowed workers here, promised or asked for. */
  readonly borrowing: number;
  /** When a borrowed worker was last here. */
  readonly borrowedAt: number;
  readonly coolDownMs: number;
  /** Open loans by borrower. */
  readonly loans: ReadonlyMap<string, number>;
  /** Other peers that are saturated or have asked in vain a moment ago. */
  readonly alsoInNeed: ReadonlySet<string>;
  /** When a worker last came home from this borrower. */
  readonly cameHomeAt: (worker: string) => number | undefined;
  readonly restMs: number;
}

export type LendDecision =
  | { readonly lend: readonly string[] }
  | {
      readonly lend: readonly [];
      readonly refusal: LendRefusal;
      /** Workers that other borrowers have beyond their share, to be called home for the asker. */
      readonly overShare: ReadonlyMap<string, number>;
    };

const NOTHING: ReadonlyMap<string, number> = new Map();

/**
 * Which own workers go on loan: idle ones at home only, as many as asked for, while `keepHome` stay and nobody gets more
 * than a fair share. The share is that of everybody who has our workers or needs them, over all that could be out.
 */
export function decideLending(input: LendInput): LendDecision {
  if (input.busy) return refuse('BUSY');
  if (input.borrowing > 0 || input.now - input.borrowedAt < input.coolDownMs) return refuse('BORROWING');
  const spare = countStaying(input.atHome) - input.keepHome;
  const idle = input.atHome.filter((worker) => worker.idle && worker.travels && isRested(worker, input));
  const lendable = Math.max(0, Math.min(spare, idle.length));
  const share = shareOf(input, lendable);
  const has = input.loans.get(input.borrower) ?? 0;
  if (has >= share.each) return refuse(lendable > 0 ? 'SHARE_USED' : nothingLeft(idle.length));
  if (lendable === 0) return refuse(nothingLeft(idle.length), share.over);
  const count = Math.min(input.asked, lendable, share.each - has);
  return { lend: idle.slice(0, count).map((worker) => worker.uuid) };
}

/** Workers that count for `keepHome`. */
export function countStaying(atHome: readonly HomeWorker[]): number {
  return atHome.filter((worker) => !worker.isLeaving).length;
}

function isRested(worker: HomeWorker, input: LendInput): boolean {
  const cameHomeAt = input.cameHomeAt(worker.uuid);
  return cameHomeAt === undefined || input.now - cameHomeAt >= input.restMs;
}

function shareOf(input: LendInput, lendable: number): { each: number; over: ReadonlyMap<string, number> } {
  const inNeed = new Set([...input.loans.keys(), ...input.alsoInNeed, input.borrower]);
  let out = 0;
  for (const count of input.loans.values()) out += count;
  const each = Math.ceil((out + lendable) / inNeed.size);
  const over = new Map<string, number>();
  for (const [borrower, count] of input.loans) if (count > each) over.set(borrower, count - each);
  return { each, over };
}

function nothingLeft(idle: number): LendRefusal {
  return idle === 0 ? 'NONE_IDLE' : 'KEEPS_LAST';
}

function refuse(refusal: LendRefusal, overShare = NOTHING): LendDecision {
  return { lend: [], refusal, overShare };
}

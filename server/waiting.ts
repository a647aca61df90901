import type { BatchRecord } from './batches/batch.ts';

/** What the explanation of a standstill looks at. */
export interface WaitingFacts {
  readonly workers: number;
  readonly storeFailing: boolean;
  readonly stopping: boolean;
  /** Why no relay takes mail of this batch; undefined when one does. */
  readonly relays: string | undefined;
  /** Recipients that are set aside because workers died on them. */
  readonly aside?: number;
}

/** Why a batch does not move right now, in words for people; undefined while it moves or is over. */
export function whyWaiting(
  batch: Pick<BatchRecord, 'state' | 'counts'>,
  facts: WaitingFacts,
): string | undefined {
  const { state, counts } = batch;
  if (state === 'PAUSED') return 'paused: "mutirao resume" goes on with it';
  if (state !== 'RUNNING') return undefined;
  const isMoving = counts.leased > 0 && !facts.storeFailing;
  if (isMoving) return undefined;
  if (facts.stopping) return 'the server stops; it goes on after the next start';
  if (facts.storeFailing) return 'the store cannot write (see the log): nothing is sent until it can';
  if (counts.pending > 0) {
    if (facts.workers === 0) return 'no worker is connected: start one with "mutirao worker"';
    return facts.relays;
  }
  if (counts.deferred === 0) return undefined;
  const { aside = 0 } = facts;
  if (aside > 0) {
    const who = aside === 1 ? '1 recipient is' : `${aside} recipients are`;
    const how = facts.workers === 0 ? 'no worker is connected' : 'a worker that has nothing else tries them';
    return `${who} set aside, workers died on them (see the log): ${how}`;
  }
  return counts.deferred === 1
    ? '1 recipient waits for the time of its retry'
    : `${counts.deferred} recipients wait for the time of their retry`;
}

import type { InstanceRecord, StorePlace } from './store.ts';
import type { Witness } from './witness.ts';

/** What a start knows of the store that it found. Times are ms since the epoch, of the wall clock. */
export interface StartFacts {
  /** What the store says of its last run. */
  readonly last: InstanceRecord | undefined;
  /** What the data folder says of it. */
  readonly witness: Witness | undefined;
  /** Where store and server are now. */
  readonly place: StorePlace;
  readonly host: string | undefined;
  readonly now: number;
  /** The operator says that the copy is to go on. */
  readonly acceptCopy: boolean;
  /** 0: never. */
  readonly staleAfterMs: number;
}

export interface Doubt {
  readonly code: 'COPY' | 'RESTORED' | 'STALE';
  /** For people: what is the matter; without paths, because anybody can ask `/readyz`. */
  readonly text: string;
}

/** The data folder is written right behind the store: it is ahead by no more than this, ms. */
const WITNESS_TOLERANCE_MS = 1_000;

/**
 * Why the batches of a store should not go on by themselves: it may have been sent from elsewhere, or so long ago that nobody wants
 * it now. Undefined: all is as the last run left it.
 *
 * - COPY: another file than the one that ran last, or another machine. Moving the folder on its disk is not a copy.
 * - RESTORED: the data folder remembers a later run than the store does.
 * - STALE: the last commit is older than `staleAfterMs`.
 */
export function doubtAbout(facts: StartFacts): Doubt | undefined {
  const { last, acceptCopy } = facts;
  if (last === undefined) return undefined;
  return (acceptCopy ? undefined : (copied(facts, last) ?? restored(facts, last))) ?? stale(facts, last);
}

function copied({ place, host }: StartFacts, last: InstanceRecord): Doubt | undefined {
  const isElsewhere = host !== undefined && last.host !== undefined && host !== last.host;
  if (last.place.id === place.id && !isElsewhere) return undefined;
  const what = isElsewhere ? 'on another machine' : 'as another file';
  return {
    code: 'COPY',
    text: `this store is a copy: until ${iso(last.aliveAt)} it ran ${what}, which may have sent its mail meanwhile or may do so still`,
  };
}

function restored({ witness }: StartFacts, last: InstanceRecord): Doubt | undefined {
  if (witness === undefined) return undefined;
  const isBehind =
    witness.epoch > last.epoch ||
    (witness.epoch === last.epoch && witness.aliveAt > last.aliveAt + WITNESS_TOLERANCE_MS);
  if (!isBehind) return undefined;
  return {
    code: 'RESTORED',
    text: `this store is an older state: it was last written at ${iso(last.aliveAt)}, and a server ran in this folder until ${iso(witness.aliveAt)}; what was sent in between it does not know`,
  };
}

function stale({ now, staleAfterMs }: StartFacts, last: InstanceRecord): Doubt | undefined {
  const age = now - last.aliveAt;
  if (staleAfterMs === 0 || age <= staleAfterMs) return undefined;
  return {
    code: 'STALE',
    text: `this store was asleep for ${hours(age)}, since ${iso(last.aliveAt)}: its mail may no longer be wanted`,
  };
}

const iso = (time: number): string => new Date(time).toISOString();

function hours(ms: number): string {
  const whole = Math.round(ms / 3_600_000);
  if (whole < 1) return `${Math.round(ms / 60_000)} minutes`;
  return whole < 72 ? `${whole} hours` : `${Math.round(whole / 24)} days`;
}

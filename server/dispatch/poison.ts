import { countSeqs, eachSeq, type SeqRanges } from '../../protocol/index.ts';
import type { Judgement, Suspicion } from './store.ts';

/**
 * What follows when workers die on the same mail: policy, without a store or a clock.
 *
 * A recipient is *suspected* when a worker dies that may have begun it. Sending it, or any answer of a relay, clears it. After
 * `after` deaths in a row it is *set aside*: it is tried with other suspects only, by a worker that has nothing else, and with
 * at most half of those with whom it was suspected the last time. So a culprit is found by bisection: the innocent are sent on the way, and
 * it is alone in the end. When `after` workers have died that had nothing but this one recipient, it is *given up*. Three
 * workers that somebody kills do not come that far: what they held is set aside, and sent by the fourth.
 */

const NEVER: Suspicion = { deaths: 0, among: 0, alone: 0 };

/** Reply of a recipient that is given up. */
export function poisonReply({ deaths, alone }: Suspicion): string {
  return `set aside: ${deaths} workers died when they tried to send this mail, ${alone} of them with nothing else to do`;
}

/** The death of a worker. */
export interface Death {
  /** Those that it may have begun. */
  readonly suspects: SeqRanges;
  /** It had been given this task of suspects, and nothing else. */
  readonly examined: boolean;
  /** What is held against a recipient so far. */
  readonly before: (seq: number) => Suspicion | undefined;
}

/** @param after deaths in a row after which a recipient is set aside, and once it is alone, given up */
export function judge({ suspects, examined, before }: Death, after: number): Judgement[] {
  const among = countSeqs(suspects);
  const isAlone = examined && among === 1;
  return [...eachSeq(suspects)].map((seq) => {
    const last = before(seq) ?? NEVER;
    const suspicion = { deaths: last.deaths + 1, among, alone: last.alone + (isAlone ? 1 : 0) };
    if (suspicion.deaths < after) return { seq, ...suspicion, verdict: 'FREE' };
    if (!isAlone || suspicion.alone < after) return { seq, ...suspicion, verdict: 'ASIDE' };
    return { seq, ...suspicion, verdict: 'GIVE_UP', reply: poisonReply(suspicion) };
  });
}

/**
 * The next suspects to try together, of those set aside: the first ones of a group, at most half of it.
 * @param aside in order of seq
 */
export function nextGroup(aside: readonly { readonly seq: number; readonly among: number }[]): number[] {
  const among = aside[0]?.among ?? 0;
  const size = Math.max(1, Math.floor(among / 2));
  const group: number[] = [];
  for (const one of aside) {
    if (group.length === size || one.among !== among) break;
    group.push(one.seq);
  }
  return group;
}

/**
 * Whether a worker may be taken for suspects now: one that dies of them must not keep the rest waiting.
 * @param ready recipients that could be sent at once
 */
export function mayExamine({
  workers,
  ready,
}: {
  readonly workers: number;
  readonly ready: number;
}): boolean {
  return workers > 1 || ready === 0;
}

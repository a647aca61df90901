import { hasSeq, rangesOf, type SeqRanges } from '../../protocol/index.ts';
import { judge, nextGroup } from './poison.ts';
import type { Inquest, Judgement, StoredSuspicion, Suspicion } from './store.ts';

interface Suspect extends Suspicion {
  /** It waits to be tried with suspects only. */
  aside: boolean;
}

/** Batches that a description names one by one. */
const MAX_DESCRIBED = 20;

/** The recipients that workers died on, as the store has them: usually none, and then it costs nothing. */
export class SuspectBook {
  readonly #after: number;
  readonly #batches = new Map<string, Map<number, Suspect>>();

  /** @param after deaths in a row that set a recipient aside */
  constructor(after: number) {
    this.#after = after;
  }

  /** Takes up what the store has kept. */
  load(stored: readonly StoredSuspicion[]): void {
    for (const { batch, seq, deaths, among, alone, aside } of stored)
      this.#of(batch).set(seq, { deaths, among, alone, aside });
  }

  get isEmpty(): boolean {
    return this.#batches.size === 0;
  }

  /** What the store is to find out about the death of a worker. */
  inquest(batch: string, first: number, examined: boolean): Inquest {
    const before = (seq: number): Suspicion | undefined => this.#batches.get(batch)?.get(seq);
    return { first, judge: (suspects) => judge({ suspects, examined, before }, this.#after) };
  }

  /** The store has committed these judgements. @returns those who now wait aside, and those given up */
  judged(batch: string, judgements: readonly Judgement[] | undefined): Condemned {
    const aside: number[] = [];
    const givenUp: Judgement[] = [];
    for (const judgement of judgements ?? []) {
      const { seq, deaths, among, alone, verdict } = judgement;
      this.#of(batch).set(seq, { deaths, among, alone, aside: verdict === 'ASIDE' });
      if (verdict === 'ASIDE') aside.push(seq);
      else if (verdict === 'GIVE_UP') givenUp.push(judgement);
    }
    return { aside: rangesOf(aside), givenUp };
  }

  /** Those among these recipients who are suspected; undefined: none. */
  suspectsAmong(batch: string, isMeant: (seq: number) => boolean): SeqRanges | undefined {
    const suspects = this.#batches.get(batch);
    if (suspects === undefined) return undefined;
    const found = [...suspects.keys()].filter(isMeant);
    return found.length === 0 ? undefined : rangesOf(found);
  }

  /** They are sent or answered. */
  cleared(batch: string, seqs: SeqRanges): void {
    const suspects = this.#batches.get(batch);
    if (suspects === undefined) return;
    for (const seq of suspects.keys()) if (hasSeq(seqs, seq)) suspects.delete(seq);
    if (suspects.size === 0) this.#batches.delete(batch);
  }

  /** The batch is over. */
  drop(batch: string): void {
    this.#batches.delete(batch);
  }

  /** Batches of which recipients wait aside. */
  waiting(): string[] {
    return [...this.#batches.keys()].filter((batch) => this.asideOf(batch) > 0);
  }

  /** Recipients of a batch that wait aside. */
  asideOf(batch: string): number {
    let count = 0;
    for (const { aside } of this.#batches.get(batch)?.values() ?? []) if (aside) count++;
    return count;
  }

  /** The recipients to be tried together next. */
  next(batch: string): SeqRanges {
    const aside = [...(this.#batches.get(batch) ?? [])]
      .filter(([, suspect]) => suspect.aside)
      .map(([seq, { among }]) => ({ seq, among }))
      .sort((a, b) => a.seq - b.seq);
    return rangesOf(nextGroup(aside));
  }

  /** They wait no longer: they are leased, or the store has them no more among those set aside. */
  taken(batch: string, seqs: SeqRanges): void {
    for (const [seq, suspect] of this.#batches.get(batch) ?? []) if (hasSeq(seqs, seq)) suspect.aside = false;
  }

  /** For the status: where recipients are set aside, and how many. */
  snapshot(): readonly { readonly batch: string; readonly recipients: number }[] {
    const batches = this.waiting().slice(0, MAX_DESCRIBED);
    return batches.map((batch) => ({ batch, recipients: this.asideOf(batch) }));
  }

  #of(batch: string): Map<number, Suspect> {
    const known = this.#batches.get(batch);
    if (known !== undefined) return known;
    const suspects = new Map<number, Suspect>();
    this.#batches.set(batch, suspects);
    return suspects;
  }
}

/** What an inquest ends with. */
export interface Condemned {
  readonly aside: SeqRanges;
  readonly givenUp: readonly Judgement[];
}

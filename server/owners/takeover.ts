import type { DispatchContext } from '../dispatch/context.ts';
import { handBack } from '../dispatch/hand-back.ts';
import { restoreSuspicions } from '../dispatch/inquest.ts';
import { takeUpLeases } from '../dispatch/lifecycle.ts';
import type { Adopted, OwnerStore } from './store.ts';

/** How much changed hands since the start, and when last (monotonic ms). */
export interface Changeover {
  readonly batches: number;
  readonly at: number;
}

const NEVER: Changeover = { batches: 0, at: Number.NEGATIVE_INFINITY };

/**
 * Takes batches up that were another server's, and lets go of those that are another's by now.
 *
 * An adopted batch goes on as after a restart: its leases wait for their workers, which come here or report over the server that
 * they are at, and only what nobody claims is sent anew.
 */
export class Takeover {
  readonly #context: DispatchContext;
  readonly #store: Pick<OwnerStore, 'figures'>;
  /** Taken up, and not everything is known of them yet. */
  readonly #incomplete = new Set<string>();
  #adopted = NEVER;
  #fenced = NEVER;

  constructor(context: DispatchContext, store: Pick<OwnerStore, 'figures'>) {
    this.#context = context;
    this.#store = store;
  }

  get adopted(): Changeover {
    return this.#adopted;
  }

  get fenced(): Changeover {
    return this.#fenced;
  }

  take(adopted: readonly Adopted[]): void {
    const { batches, monotonic, logger } = this.#context;
    for (const { batch, leases, from } of adopted) {
      // One that was this server's before, and came back before it knew that it was gone.
      if (batches.get(batch.uuid) !== undefined) this.#letGo(batch.uuid);
      batches.takeUp(batch);
      takeUpLeases(this.#context, leases);
      this.#incomplete.add(batch.uuid);
      logger.warn(
        { batch: batch.uuid, from, state: batch.state, tasks: leases.length },
        'adopted: the server that had this batch was not heard of in time or has left it, it goes on here',
      );
    }
    if (adopted.length > 0)
      this.#adopted = { batches: this.#adopted.batches + adopted.length, at: monotonic() };
  }

  /**
   * Learns what was not told with the adoption. Until it succeeds it is to be called again. @throws StoreError
   * @returns whether there was anything to learn
   */
  async complete(): Promise<boolean> {
    if (this.#incomplete.size === 0) return false;
    const { batches } = this.#context;
    const meant = [...this.#incomplete];
    await restoreSuspicions(this.#context, (batch) => this.#incomplete.has(batch));
    for (const uuid of meant) {
      // A report may have been settled between the adoption and the reading of what was adopted.
      const figures = await this.#store.figures(uuid);
      if (figures !== undefined) batches.update(uuid, figures);
      this.#incomplete.delete(uuid);
    }
    return true;
  }

  /** Others own this batch. Nothing more of it is sent from here, and what is out is asked back. */
  drop(batch: string): void {
    const out = this.#letGo(batch);
    if (out === undefined) return;
    const { monotonic, logger } = this.#context;
    this.#fenced = { batches: this.#fenced.batches + 1, at: monotonic() };
    logger.warn(
      { batch, ...out },
      'fenced: this server was not heard of in time and another one has taken this batch over, nothing more of it is sent from here',
    );
  }

  #letGo(uuid: string): { readonly tasks: number; readonly recipients: number } | undefined {
    const { batches, leases, relays, workers, suspects } = this.#context;
    if (batches.drop(uuid) === undefined) return undefined;
    this.#incomplete.delete(uuid);
    suspects.drop(uuid);
    const out = leases.ofBatch(uuid);
    handBack(this.#context, (lease) => lease.batch === uuid);
    for (const { task, relay, worker, remaining } of out) {
      leases.end(task);
      relays.recipientsSettled(relay, remaining);
      relays.taskEnded(relay, task, worker);
      workers.get(worker)?.leases.delete(task);
    }
    return { tasks: out.length, recipients: out.reduce((sum, { remaining }) => sum + remaining, 0) };
  }
}

import type { ActiveBatch } from '../batches/batch-book.ts';
import { isExpired } from '../batches/expiry.ts';
import type { DispatchContext } from './context.ts';
import { mayExamine } from './poison.ts';
import type { WorkerEntry } from './worker-book.ts';

/**
 * Has recipients that are set aside tried by one worker at a time, which has nothing else meanwhile: what it dies of is then
 * known, and the other workers go on with the rest.
 *
 * idle → *reserved*: somebody waits aside and a worker may be spared; it gets nothing new → *examining*: it has nothing left, and
 * is given a task of suspects → idle: that task is over, its lease has ended, or the worker has gone before it got one.
 */
export class Examination {
  readonly #context: DispatchContext;
  /** Gives this worker a task of the batch's suspects. @returns its name; undefined: no relay takes it now */
  readonly #lease: (worker: WorkerEntry, batch: ActiveBatch) => string | undefined;
  #worker: WorkerEntry | undefined;
  #task: string | undefined;
  #claiming = false;

  constructor(
    context: DispatchContext,
    lease: (worker: WorkerEntry, batch: ActiveBatch) => string | undefined,
  ) {
    this.#context = context;
    this.#lease = lease;
  }

  /** The claim of the task is done. */
  claimed(): void {
    this.#claiming = false;
  }

  /** Call it whenever work or workers may be there: it does nothing when nobody is suspected. */
  pump(ready: () => number): void {
    if (this.#context.suspects.isEmpty && this.#worker === undefined) return;
    this.#release();
    if (this.#task !== undefined) return;
    this.#worker ??= this.#reserve(ready);
    const worker = this.#worker;
    if (worker === undefined || worker.leases.size > 0 || worker.slots === 0) return;
    const batch = this.#batchFor(worker);
    if (batch === undefined) return;
    this.#task = this.#lease(worker, batch);
    this.#claiming = this.#task !== undefined;
  }

  /** Ends what is over. */
  #release(): void {
    const worker = this.#worker;
    if (worker === undefined || this.#claiming) return;
    const { workers, leases } = this.#context;
    const isOut = this.#task !== undefined && leases.get(this.#task) !== undefined;
    const isThere = workers.get(worker.uuid) === worker && !worker.leaving && !worker.departing;
    const isWanted = this.#task === undefined && isThere && this.#batchFor(worker) !== undefined;
    if (isOut || isWanted) return;
    worker.reserved = false;
    this.#worker = undefined;
    this.#task = undefined;
  }

  /** Own workers go before borrowed ones. */
  #reserve(ready: () => number): WorkerEntry | undefined {
    const { workers, suspects } = this.#context;
    if (suspects.waiting().length === 0) return undefined;
    if (!mayExamine({ workers: workers.working(), ready: ready() })) return undefined;
    const hungry = workers.hungry().filter((worker) => this.#batchFor(worker) !== undefined);
    const worker = hungry.find(({ home }) => home === undefined) ?? hungry[0];
    if (worker !== undefined) worker.reserved = true;
    return worker;
  }

  /** The first batch whose suspects this worker could try now. */
  #batchFor(worker: WorkerEntry): ActiveBatch | undefined {
    const { suspects, batches, relays, now } = this.#context;
    for (const uuid of suspects.waiting()) {
      const batch = batches.get(uuid);
      if (batch === undefined || batch.figures.state !== 'RUNNING') continue;
      const { options } = batch.record;
      if (isExpired(options, now())) continue;
      if (relays.choose(worker.uuid, worker.connections ?? 1, options.relays) !== undefined) return batch;
    }
    return undefined;
  }
}

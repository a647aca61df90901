import type { Redirect } from '../protocol/index.ts';
import type { Dispatcher } from './dispatch/dispatcher.ts';
import type { LeaseBook } from './dispatch/lease-book.ts';
import type { WorkerBook } from './dispatch/worker-book.ts';
import type { PoolFigures } from './mesh/load.ts';
import type { GuestWorker, HomeWorker, MeshPool, ReturnMessage } from './mesh/ports.ts';
import type { RateMeter } from './rate-meter.ts';

/** The workers of the dispatch as the mesh sees them: counted, lent and sent home. */
export class LendablePool implements MeshPool {
  readonly #workers: WorkerBook;
  readonly #leases: LeaseBook;
  readonly #dispatcher: Dispatcher;
  readonly #settled: RateMeter;
  readonly #monotonic: () => number;

  constructor(parts: {
    workers: WorkerBook;
    leases: LeaseBook;
    dispatcher: Dispatcher;
    settled: RateMeter;
    monotonic: () => number;
  }) {
    this.#workers = parts.workers;
    this.#leases = parts.leases;
    this.#dispatcher = parts.dispatcher;
    this.#settled = parts.settled;
    this.#monotonic = parts.monotonic;
  }

  figures(): PoolFigures {
    let freeSlots = 0;
    for (const worker of this.#workers.all()) if (worker.hungry) freeSlots += worker.slots;
    return {
      ready: this.#dispatcher.ready(),
      sending: this.#leases.recipients(),
      workers: this.#workers.working(),
      freeSlots,
      rate: this.#settled.rate(this.#monotonic()) ?? 0,
    };
  }

  homeWorkers(): readonly HomeWorker[] {
    const own: HomeWorker[] = [];
    for (const { uuid, home, idle, full, departing, leaving } of this.#workers.all()) {
      if (home === undefined && !departing) own.push({ uuid, idle, travels: full, isLeaving: leaving });
    }
    return own;
  }

  guestWorkers(): readonly GuestWorker[] {
    const borrowed: GuestWorker[] = [];
    for (const { uuid, home, idle } of this.#workers.all())
      if (home !== undefined) borrowed.push({ uuid, idle });
    return borrowed;
  }

  redirect(uuid: string, message: Redirect): boolean {
    const worker = this.#workers.get(uuid);
    if (worker === undefined || worker.home !== undefined || !worker.idle) return false;
    worker.departing = true;
    worker.line.send(message);
    return true;
  }

  returnHome(uuid: string, message: ReturnMessage): boolean {
    const worker = this.#workers.get(uuid);
    if (worker?.home === undefined) return false;
    worker.departing = true;
    worker.line.send(message);
    return true;
  }
}

import { v7 as uuidv7 } from 'uuid';
import { nackOf, type WorkerAlive, type WorkerReport, type WorkerToServer } from '../../protocol/index.ts';
import { StoreError } from '../store/errors.ts';
import type { Clockwork } from './clockwork.ts';
import type { DispatchContext } from './context.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { LeaseEntry } from './lease-book.ts';
import type { Results } from './results.ts';
import { WorkerEntry, type WorkerLine } from './worker-book.ts';

/** Close code of a connection that a newer one of the same worker replaces. */
const REPLACED = 4409;
/** A report that the store could not take is tried again by the worker; this is how long it is asked to wait, ms. */
const REPORT_RETRY_MS = 1_000;

/**
 * Where servers share a store, a worker may hold tasks that its first ALIVE does not list: it does not know yet that this server is
 * one of those. So long it gets to say so, ms: it is told in the same moment.
 */
const LISTED_WITHIN_MS = 2_000;

/** What a session tells of its worker. */
export interface WorkerEvents {
  arrived(worker: WorkerEntry): void;
  left(worker: WorkerEntry): void;
}

/** Who a worker is to this server: `home` names the server that lent it. */
export interface Admission {
  readonly home: string | undefined;
}

/**
 * The conversation with one worker: ALIVE asks for tasks and renews leases, reports settle them.
 * A bare ALIVE asks for one task, unless the worker got one over this connection: then it is a heartbeat that renews what it
 * holds. Over a new connection it does not speak for what the worker got before: one that forgot it would renew it for ever.
 */
export class WorkerSession {
  readonly #context: DispatchContext;
  readonly #dispatcher: Dispatcher;
  readonly #clockwork: Clockwork;
  readonly #results: Results;
  readonly #events: WorkerEvents;
  readonly #line: WorkerLine;
  #worker: WorkerEntry | undefined;
  /** Leases that the worker has not listed since it came. */
  #unlisted: LeaseEntry[] = [];

  constructor(parts: {
    context: DispatchContext;
    dispatcher: Dispatcher;
    clockwork: Clockwork;
    results: Results;
    events: WorkerEvents;
    line: WorkerLine;
  }) {
    this.#context = parts.context;
    this.#dispatcher = parts.dispatcher;
    this.#clockwork = parts.clockwork;
    this.#results = parts.results;
    this.#events = parts.events;
    this.#line = parts.line;
  }

  /** The first message of a worker that was let in. */
  open(alive: WorkerAlive, admission: Admission): void {
    const { workers, leases, monotonic, logger } = this.#context;
    const uuid = alive.WORKER_UUID ?? uuidv7();
    const worker = new WorkerEntry(uuid, alive, this.#line, admission.home, monotonic());
    workers.get(uuid)?.line.close(REPLACED, 'a newer connection of this worker is here');
    if (alive.TASKS !== undefined) {
      for (const lease of leases.all()) if (lease.worker === uuid) this.#comeBackTo(lease, worker);
    }
    this.#worker = worker;
    workers.add(worker);
    logger.info(
      { worker: uuid, home: admission.home, leases: worker.leases.size, workers: workers.size },
      admission.home === undefined ? 'worker connected' : 'borrowed worker connected',
    );
    this.#events.arrived(worker);
    this.#unlisted = [...worker.leases].flatMap((task) => leases.get(task) ?? []);
    if (this.#context.tenancy === undefined) this.#dropUnlisted(worker, alive);
    this.#alive(worker, alive);
  }

  message(message: WorkerToServer): void {
    const worker = this.#worker;
    if (worker === undefined) return;
    if ('WORKER' in message) {
      if (this.#context.monotonic() - worker.since >= LISTED_WITHIN_MS) this.#dropUnlisted(worker, message);
      this.#alive(worker, message);
    } else void this.#report(worker, message);
  }

  closed(): void {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    if (!this.#context.workers.remove(worker)) return;
    this.#context.logger.info(
      {
        worker: worker.uuid,
        home: worker.home,
        leases: worker.leases.size,
        workers: this.#context.workers.size,
      },
      worker.leases.size === 0 ? 'worker left' : 'worker gone, its leases wait for it until they expire',
    );
    this.#events.left(worker);
  }

  #comeBackTo(lease: LeaseEntry, worker: WorkerEntry): void {
    worker.leases.add(lease.task);
    // unknown for a lease of before a restart
    lease.inFlight = Math.min(lease.inFlight, worker.inFlight);
  }

  /** A worker that lists its leases does not have the others: the frames that brought them were lost on the way. */
  #dropUnlisted(worker: WorkerEntry, alive: WorkerAlive): void {
    if (this.#unlisted.length === 0 || alive.TASKS === undefined) return;
    const held = new Set(alive.TASKS);
    const unlisted = this.#unlisted;
    this.#unlisted = [];
    for (const lease of unlisted) {
      if (held.has(lease.task) || this.#context.leases.get(lease.task) !== lease) continue;
      void this.#clockwork.expire(lease, 0, `lease lost: worker ${worker.uuid} came back without it`, true);
    }
  }

  #alive(worker: WorkerEntry, alive: WorkerAlive): void {
    const { leases, settings, tenancy, monotonic } = this.#context;
    worker.leaving = alive.LEAVING === true;
    const listed = alive.TASKS ?? [...worker.leases];
    const renewed: string[] = [];
    const lost: string[] = [];
    for (const task of listed) {
      const lease = leases.get(task);
      // Another server may have given it, or give it on: this one says nothing of it, and the worker keeps to its own clock.
      if (tenancy !== undefined && (leases.recall(task) === undefined || !tenancy.isHeld())) continue;
      if (lease === undefined || lease.worker !== worker.uuid || this.#clockwork.isEnding(task)) {
        lost.push(task);
        continue;
      }
      lease.deadline = monotonic() + settings.leaseMs;
      worker.leases.add(task);
      renewed.push(task);
    }
    if (alive.TASKS !== undefined && alive.TASKS.length > 0) {
      this.#line.send({ TASK: 'LEASES', RENEWED: renewed, LOST: lost, LEASE_S: settings.leaseMs / 1000 });
    }
    worker.slots = alive.SLOTS ?? (worker.leases.size === 0 ? 1 : 0);
    worker.parkedSince = monotonic();
    this.#dispatcher.pump();
  }

  async #report(worker: WorkerEntry, report: WorkerReport): Promise<void> {
    try {
      await this.#results.take(report, worker);
      this.#line.send({ STATUS: 'ACK', TASK_UUID: report.TASK_UUID });
    } catch (error) {
      const known = error instanceof StoreError;
      // The store itself tells of its trouble, not every second for every worker.
      this.#context.logger[known ? 'debug' : 'error'](
        { err: error, task: report.TASK_UUID },
        'results could not be stored, the worker keeps them',
      );
      this.#line.send(
        nackOf(
          {
            code: known ? error.code : 'INTERNAL',
            message: `results not stored, send them again in ${REPORT_RETRY_MS} ms${known ? `: ${error.message}` : ''}`,
            retry: true,
          },
          undefined,
          report.TASK_UUID,
        ),
      );
    }
  }
}

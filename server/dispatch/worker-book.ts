import type { ServerToWorker, WorkerAlive } from '../../protocol/index.ts';
import { RateMeter } from '../rate-meter.ts';

/** The line to a worker. */
export interface WorkerLine {
  send(message: ServerToWorker): void;
  /** A message that is JSON already. */
  sendText(text: string): void;
  close(code: number, reason: string): void;
}

/**
 * A connected worker. `slots` is what it asked for and has not got yet; while it is above 0 and there is no work the pull is
 * parked. `departing`: it was told to go elsewhere and gets nothing more from us.
 */
export class WorkerEntry {
  readonly uuid: string;
  readonly line: WorkerLine;
  /** The server that lent it; absent: it is our own. */
  readonly home: string | undefined;
  /** It knows the messages that a minimal worker does not. */
  readonly full: boolean;
  readonly connections: number | undefined;
  readonly inFlight: number;
  readonly since: number;
  readonly meter = new RateMeter();
  readonly leases = new Set<string>();
  slots = 0;
  parkedSince = 0;
  leaving = false;
  departing = false;
  /** It gets nothing but suspects (see examination.ts). */
  reserved = false;

  constructor(uuid: string, alive: WorkerAlive, line: WorkerLine, home: string | undefined, now: number) {
    this.uuid = uuid;
    this.line = line;
    this.home = home;
    this.full = alive.PROTOCOL !== undefined;
    this.connections = alive.CONNECTIONS;
    this.inFlight = alive.IN_FLIGHT ?? Number.POSITIVE_INFINITY;
    this.since = now;
  }

  get hungry(): boolean {
    return this.slots > 0 && !this.leaving && !this.departing && !this.reserved;
  }

  /** It has nothing to do. */
  get idle(): boolean {
    return this.hungry && this.leases.size === 0;
  }
}

/** The workers connected to this server, own and borrowed. */
export class WorkerBook {
  readonly #workers = new Map<string, WorkerEntry>();

  get(uuid: string): WorkerEntry | undefined {
    return this.#workers.get(uuid);
  }

  get size(): number {
    return this.#workers.size;
  }

  all(): Iterable<WorkerEntry> {
    return this.#workers.values();
  }

  add(worker: WorkerEntry): void {
    this.#workers.set(worker.uuid, worker);
  }

  /** Removes it, unless a newer connection of the same worker has taken its place. */
  remove(worker: WorkerEntry): boolean {
    if (this.#workers.get(worker.uuid) !== worker) return false;
    this.#workers.delete(worker.uuid);
    return true;
  }

  /** Hungry workers, those with the least to do first, then those who wait longest. */
  hungry(): WorkerEntry[] {
    const hungry: WorkerEntry[] = [];
    for (const worker of this.#workers.values()) if (worker.hungry) hungry.push(worker);
    return hungry.sort((a, b) => a.leases.size - b.leases.size || a.parkedSince - b.parkedSince);
  }

  /** Workers that take tasks. */
  working(): number {
    let count = 0;
    for (const worker of this.#workers.values()) if (!worker.leaving && !worker.departing) count++;
    return count;
  }
}

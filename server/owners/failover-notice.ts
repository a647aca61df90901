import { type Endpoint, endpointUrl, type Failover, MAX_FAILOVER } from '../../protocol/index.ts';

/** A worker as far as it matters here. */
export interface Listener {
  /** It understands more than a minimal one. */
  readonly full: boolean;
  readonly line: { send(message: Failover): void };
}

/** Tells workers which servers share this one's store, when they come and whenever that changes. */
export class FailoverNotice {
  readonly #workers: () => Iterable<Listener>;
  #message: Failover;

  /** @param store names the store, and is the same at every server that uses it */
  constructor(store: string, workers: () => Iterable<Listener>) {
    this.#workers = workers;
    this.#message = { TASK: 'FAILOVER', STORE: store, FAILOVER_LIST: [] };
  }

  greet(worker: Listener): void {
    if (worker.full) worker.line.send(this.#message);
  }

  /** These live. */
  neighbours(servers: readonly Endpoint[]): void {
    const sorted = servers.map((server) => ({ server, url: endpointUrl(server) }));
    sorted.sort((a, b) => (a.url < b.url ? -1 : 1));
    const list = sorted.slice(0, MAX_FAILOVER).map(({ server }) => server);
    if (JSON.stringify(list) === JSON.stringify(this.#message.FAILOVER_LIST)) return;
    this.#tell({ ...this.#message, FAILOVER_LIST: list });
  }

  /** This server stops, and has left its batches to the others: its workers need not wait for it. */
  leaving(): void {
    this.#tell({ ...this.#message, LEAVING: true });
  }

  #tell(message: Failover): void {
    this.#message = message;
    for (const worker of this.#workers()) this.greet(worker);
  }
}

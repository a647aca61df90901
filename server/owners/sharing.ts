import type { Logger } from '../../logging/index.ts';
import type { Endpoint } from '../../protocol/index.ts';
import type { DispatchContext } from '../dispatch/context.ts';
import type { WorkerEntry } from '../dispatch/worker-book.ts';
import { type Doers, ErrandDesk } from './errand-desk.ts';
import { FailoverNotice } from './failover-notice.ts';
import type { OwnerStore } from './store.ts';
import { Takeover } from './takeover.ts';
import { Tenure, type TenureOptions } from './tenure.ts';

export interface SharingOptions
  extends Pick<TenureOptions, 'server' | 'leaseMs' | 'wake' | 'nameLost' | 'clocks' | 'setTimer' | 'random'> {
  readonly store: OwnerStore;
  /** Names the store; the same at every server that uses it. */
  readonly storeName: string;
  readonly dispatch: DispatchContext;
  readonly doers: Doers;
  /** `ws://host:port` as an endpoint. */
  readonly endpointOf: (url: string) => Endpoint;
  /** Another server that uses the store lives, and can be reached there. */
  readonly met: (server: string, endpoint: Endpoint) => void;
  readonly logger: Logger;
}

/** What a server that shares its store does beyond one that is alone: puts the parts of this folder together. */
export class Sharing {
  readonly tenure: Tenure;
  readonly takeover: Takeover;
  readonly #notice: FailoverNotice;
  #isReleased = false;

  constructor(options: SharingOptions) {
    const { store, dispatch, doers, endpointOf, met, logger } = options;
    const desk = new ErrandDesk(store, doers, logger);
    this.takeover = new Takeover({ ...dispatch, logger }, store);
    this.#notice = new FailoverNotice(options.storeName, () => dispatch.workers.all());
    this.tenure = new Tenure({
      ...options,
      takeover: this.takeover,
      batches: () => dispatch.batches.all(),
      serve: (request) => desk.serve(request),
      neighbours: (servers) => {
        const live = servers.map(({ server, url }) => ({ server, endpoint: endpointOf(url) }));
        for (const { server, endpoint } of live) met(server, endpoint);
        this.#notice.neighbours(live.map(({ endpoint }) => endpoint));
      },
    });
  }

  /** To be called when a worker has come, before it is given anything. */
  greet(worker: WorkerEntry): void {
    this.#notice.greet(worker);
  }

  /** Leaves everything to the others, and has the workers go there. Idempotent. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.tenure.release();
    this.#notice.leaving();
  }
}

import type { BatchFigures, BatchRecord } from '../../batches/batch.ts';
import type {
  Adopted,
  OwnerRequest,
  OwnerStore,
  Registration,
  Renewal,
  ServerRecord,
} from '../../owners/store.ts';
import { StoreError } from '../errors.ts';

/** A store that belongs to one server: it owns every batch, and there is nobody to adopt from, to ask or to hear of. */
export abstract class SoleOwner implements OwnerStore {
  readonly isShared = false;
  #self: ServerRecord | undefined;

  abstract getBatch(uuid: string): Promise<BatchRecord | undefined>;

  async register({ server, url }: Registration): Promise<void> {
    this.#self = { server, url, live: true };
  }

  async renew(_leaseMs: number): Promise<Renewal> {
    return { known: true, lost: [] };
  }

  async adopt(_limit: number): Promise<readonly Adopted[]> {
    return [];
  }

  async adoptBatch(batch: string): Promise<boolean> {
    return (await this.getBatch(batch)) !== undefined;
  }

  async ownerOf(batch: string): Promise<ServerRecord | undefined> {
    return (await this.getBatch(batch)) === undefined ? undefined : this.#self;
  }

  async notOwned(_batches: readonly string[]): Promise<readonly string[]> {
    return [];
  }

  onNotOwner(): () => void {
    return () => {};
  }

  async figures(batch: string): Promise<BatchFigures | undefined> {
    return this.getBatch(batch);
  }

  async servers(): Promise<readonly ServerRecord[]> {
    return this.#self === undefined ? [] : [this.#self];
  }

  async release(): Promise<void> {
    this.#self = undefined;
  }

  onChange(): () => void {
    return () => {};
  }

  ask(batch: string): Promise<unknown> {
    return Promise.reject(
      new StoreError('STORE_UNAVAILABLE', `batch ${batch} has no other owner that could be asked`),
    );
  }

  async requests(_limit: number): Promise<readonly OwnerRequest[]> {
    return [];
  }

  async answer(): Promise<void> {}
}

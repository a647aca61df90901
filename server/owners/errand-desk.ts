import type { Logger } from '../../logging/index.ts';
import type { SeqRanges, WorkerReport } from '../../protocol/index.ts';
import { RequestError } from '../batches/request-error.ts';
import { isNotOwner, StoreError } from '../store/errors.ts';
import { Errand, type ErrandAnswer } from './errands.ts';
import type { OwnerRequest, OwnerStore } from './store.ts';

/** Who does what other servers ask for; each throws NOT_OWNER where this server does not own the batch. */
export interface Doers {
  act(action: 'PAUSE' | 'RESUME' | 'CANCEL' | 'RETRY', batch: string): Promise<{ changed?: number }>;
  resolve(
    batch: string,
    decision: 'SENT' | 'RETRY',
    seqs: SeqRanges | undefined,
  ): Promise<{ changed: number }>;
  report(report: WorkerReport): Promise<void>;
}

/** Does what other servers ask of this one about its batches, and answers. */
export class ErrandDesk {
  readonly #store: Pick<OwnerStore, 'answer'>;
  readonly #doers: Doers;
  readonly #logger: Logger;

  constructor(store: Pick<OwnerStore, 'answer'>, doers: Doers, logger: Logger) {
    this.#store = store;
    this.#doers = doers;
    this.#logger = logger;
  }

  /** Never rejects: who asked hears of the trouble, or asks again. */
  async serve({ id, batch, body }: OwnerRequest): Promise<void> {
    try {
      await this.#store.answer(id, await this.#do(batch, body));
    } catch (error) {
      this.#logger.debug({ err: error, batch }, 'what another server asked for could not be answered');
    }
  }

  async #do(batch: string, body: unknown): Promise<ErrandAnswer> {
    const errand = Errand.safeParse(body);
    if (!errand.success) {
      const MESSAGE = `the server that has batch ${batch} does not understand this; is it of another version?`;
      return { ERROR: { CODE: 'UNKNOWN_MESSAGE', MESSAGE } };
    }
    try {
      return { DONE: true, CHANGED: await this.#carryOut(batch, errand.data) };
    } catch (error) {
      return { ERROR: this.#told(error) };
    }
  }

  async #carryOut(batch: string, errand: Errand): Promise<number | undefined> {
    switch (errand.DO) {
      case 'ACT':
        return (await this.#doers.act(errand.ACTION, batch)).changed;
      case 'RESOLVE':
        return (await this.#doers.resolve(batch, errand.DECISION, errand.SEQS)).changed;
      case 'REPORT':
        await this.#doers.report(errand.REPORT);
        return undefined;
      default: {
        const never: never = errand;
        return never;
      }
    }
  }

  #told(error: unknown) {
    if (error instanceof RequestError)
      return { CODE: error.code, MESSAGE: error.message, FIELD: error.field, RETRY: error.retry };
    if (error instanceof StoreError)
      return { CODE: error.code, MESSAGE: error.message, RETRY: error.retry || isNotOwner(error) };
    this.#logger.error({ err: error }, 'what another server asked for failed unexpectedly');
    return { CODE: 'INTERNAL', MESSAGE: 'the server failed on this request, see its log', RETRY: true };
  }
}

import { z } from 'zod';
import { SeqRangesSchema, WorkerReport } from '../../protocol/index.ts';
import { RequestError, type RequestErrorCode } from '../batches/request-error.ts';
import { StoreError } from '../store/errors.ts';
import type { OwnerStore } from './store.ts';

/** What one server asks of another one that owns a batch, as it lies in the store. All may be done twice. */
export const Errand = z.discriminatedUnion('DO', [
  z.object({ DO: z.literal('ACT'), ACTION: z.enum(['PAUSE', 'RESUME', 'CANCEL', 'RETRY']) }),
  z.object({
    DO: z.literal('RESOLVE'),
    DECISION: z.enum(['SENT', 'RETRY']),
    SEQS: SeqRangesSchema.optional(),
  }),
  z.object({ DO: z.literal('REPORT'), REPORT: WorkerReport }),
]);
export type Errand = z.infer<typeof Errand>;

export const ErrandAnswer = z.union([
  z.object({
    ERROR: z.object({
      CODE: z.string(),
      MESSAGE: z.string(),
      FIELD: z.string().optional(),
      RETRY: z.boolean().optional(),
    }),
  }),
  /** CHANGED: recipients, where the errand counts them. */
  z.object({ DONE: z.literal(true), CHANGED: z.int().optional() }),
]);
export type ErrandAnswer = z.infer<typeof ErrandAnswer>;

/** Has the owners of batches do what only they may do. */
export class Errands {
  readonly #store: OwnerStore;
  readonly #server: string;
  readonly #withinMs: number;

  /**
   * @param server SERVER_UUID of this server
   * @param withinMs how long an owner is waited for: long enough that one which adopts the batch meanwhile can answer
   */
  constructor(store: OwnerStore, server: string, withinMs: number) {
    this.#store = store;
    this.#server = server;
    this.#withinMs = withinMs;
  }

  /** Whether another server has this batch; a finished one whose owner is gone becomes this server's. @throws StoreError */
  async isElsewhere(batch: string): Promise<boolean> {
    const owner = await this.#store.ownerOf(batch);
    if (owner === undefined || owner.server === this.#server) return false;
    return owner.live || !(await this.#store.adoptBatch(batch));
  }

  /** @returns CHANGED @throws RequestError as its owner would; StoreError when it does not answer in time */
  async ask(batch: string, errand: Errand): Promise<number | undefined> {
    const answer = ErrandAnswer.safeParse(await this.#store.ask(batch, errand, this.#withinMs));
    if (!answer.success) {
      throw new StoreError(
        'STORE_UNAVAILABLE',
        `the server that has batch ${batch} gave an answer that is not understood; is it of another version?`,
      );
    }
    if ('DONE' in answer.data) return answer.data.CHANGED;
    const { CODE, MESSAGE, FIELD, RETRY } = answer.data.ERROR;
    if (RETRY === true) throw new StoreError('STORE_UNAVAILABLE', MESSAGE);
    throw new RequestError(CODE as RequestErrorCode, MESSAGE, FIELD === undefined ? {} : { field: FIELD });
  }

  /** Brings a report to the owner of its batch. @throws StoreError when it is to be presented again */
  async report(batch: string, report: WorkerReport): Promise<void> {
    await this.ask(batch, { DO: 'REPORT', REPORT: report });
  }
}

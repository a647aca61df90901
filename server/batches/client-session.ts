import {
  type ClientRequest,
  type ListPossibleDuplicates,
  type ListRecipients,
  nackOf,
  type ServerToClient,
  type Submit,
} from '../../protocol/index.ts';
import { StoreError } from '../store/errors.ts';
import type { BatchRecord } from './batch.ts';
import { batchInfo } from './batch-info.ts';
import type { Batches } from './batches.ts';
import { RequestError } from './request-error.ts';
import type { ListedState } from './store.ts';
import type { Submission } from './submission.ts';

/** Rows of a LIST where the client names no number. */
const LIST_LIMIT = 1_000;
/** Batches of a BATCHES where the client names no number. */
const BATCHES_LIMIT = 20;
/** Events of a POSSIBLE_DUPLICATES where the client names no number. */
const EVENTS_LIMIT = 100;

export interface ClientLine {
  send(message: ServerToClient): void;
}

/** The conversation with one client. Requests are answered in their order; at most one batch is open at a time. */
export class ClientSession {
  readonly #batches: Batches;
  readonly #line: ClientLine;
  readonly #watches = new Map<string, () => void>();
  /** What is to happen right behind the answer. */
  readonly #following: (() => void)[] = [];
  #submission: Submission | undefined;
  #isSpoiled = false;

  constructor(batches: Batches, line: ClientLine) {
    this.#batches = batches;
    this.#line = line;
  }

  /** Answers one request. Call again when the promise has settled; it never rejects for what a client can cause. */
  async message(request: ClientRequest): Promise<void> {
    try {
      this.#line.send(await this.#answer(request));
      for (const follow of this.#following.splice(0)) follow();
    } catch (error) {
      if (!(error instanceof RequestError) && !(error instanceof StoreError)) throw error;
      this.#line.send(
        nackOf(
          {
            code: error.code,
            message: error.message,
            ...(error instanceof RequestError && error.field !== undefined ? { field: error.field } : {}),
            ...(error.retry === undefined ? {} : { retry: error.retry }),
          },
          request.REQ,
        ),
      );
    }
  }

  /**
   * A frame was not understood. If a batch is open it may have been a chunk of it, sent without waiting for the answers: the
   * batch can no longer be committed, for a part of it would be missing.
   */
  misunderstood(): void {
    this.#isSpoiled = this.#submission !== undefined;
  }

  /** The line is closed: what was not committed goes. */
  async closed(): Promise<void> {
    for (const end of this.#watches.values()) end();
    this.#watches.clear();
    await this.#drop();
  }

  async #answer(request: ClientRequest): Promise<ServerToClient> {
    const ack = { STATUS: 'ACK' as const, ...(request.REQ === undefined ? {} : { REQ: request.REQ }) };
    switch (request.CLIENT) {
      case 'SUBMIT':
        return { ...ack, ...(await this.#submit(request)) };
      case 'RECIPIENTS': {
        const submission = await this.#open();
        const rejected = await this.#orDrop(submission.add(request.RECIPIENTS));
        return { ...ack, RECEIVED: submission.received, REJECTED: [...rejected] };
      }
      case 'ATTACHMENT': {
        const submission = await this.#open();
        await this.#orDrop((async () => submission.attach(request))());
        return { ...ack, RECEIVED: submission.received, REJECTED: [] };
      }
      case 'COMMIT':
        return { ...ack, ...(await this.#commit()) };
      case 'ABORT':
        await this.#drop();
        return { ...ack, RECEIVED: 0, REJECTED: [] };
      case 'WATCH':
        return { ...ack, BATCH: this.#info(await this.#watch(request.BATCH_UUID, request.EVERY_MS)) };
      case 'UNWATCH':
        this.#watches.get(request.BATCH_UUID)?.();
        this.#watches.delete(request.BATCH_UUID);
        return { ...ack, BATCH: this.#info(await this.#batches.get(request.BATCH_UUID)) };
      case 'BATCH':
        return { ...ack, BATCH: this.#info(await this.#batches.get(request.BATCH_UUID)) };
      case 'PAUSE':
      case 'RESUME':
      case 'CANCEL':
      case 'RETRY': {
        const { record, changed } = await this.#batches.act(request.CLIENT, request.BATCH_UUID);
        return { ...ack, BATCH: this.#info(record), ...(changed === undefined ? {} : { CHANGED: changed }) };
      }
      case 'RESUME_ALL': {
        const records = await this.#batches.resumeAll();
        return { ...ack, BATCHES: records.map((record) => this.#info(record)) };
      }
      case 'BATCHES': {
        const records = await this.#batches.list(request.LIMIT ?? BATCHES_LIMIT);
        return { ...ack, BATCHES: records.map((record) => this.#info(record)) };
      }
      case 'RESOLVE': {
        const { BATCH_UUID, DECISION, SEQS } = request;
        const { record, changed } = await this.#batches.resolve(BATCH_UUID, DECISION, SEQS);
        return { ...ack, BATCH: this.#info(record), CHANGED: changed };
      }
      case 'POSSIBLE_DUPLICATES':
        return { ...ack, ...(await this.#possibleDuplicates(request)) };
      case 'LIST':
        return { ...ack, ...(await this.#list(request)) };
      case 'SERVER':
        return { ...ack, SERVER: this.#batches.describeServer() };
      default: {
        const never: never = request;
        return never;
      }
    }
  }

  async #submit(request: Submit) {
    if (this.#submission !== undefined) {
      throw new RequestError(
        'BATCH_ALREADY_OPEN',
        'this connection has a batch open: COMMIT or ABORT it first, or use a second connection',
      );
    }
    this.#submission = await this.#batches.open(request);
    const rejected = await this.#orDrop(this.#submission.add(request.RECIPIENTS ?? []));
    if (request.COMMIT === true) return this.#commit();
    return { RECEIVED: this.#submission.received, REJECTED: [...rejected] };
  }

  async #commit() {
    const submission = await this.#open();
    const committed = await this.#orDrop(this.#batches.commit(submission));
    this.#submission = undefined;
    const { record, rejected, rejectedCount, existing } = committed;
    return {
      BATCH_UUID: record.uuid,
      ACCEPTED: record.counts.total,
      REJECTED: [...rejected],
      REJECTED_COUNT: rejectedCount,
      DUPLICATES: record.duplicates,
      ...(existing ? { EXISTING: true } : {}),
    };
  }

  async #watch(uuid: string, everyMs: number | undefined): Promise<BatchRecord> {
    this.#watches.get(uuid)?.();
    const record = await this.#batches.get(uuid);
    this.#following.push(() => {
      const tell = (now: BatchRecord): void => this.#line.send({ EVENT: 'PROGRESS', BATCH: this.#info(now) });
      this.#watches.set(uuid, this.#batches.watch(record, tell, everyMs));
    });
    return record;
  }

  async #list(request: ListRecipients) {
    const limit = request.LIMIT ?? LIST_LIMIT;
    const rows = await this.#batches.recipients(
      request.BATCH_UUID,
      request.STATE satisfies ListedState,
      request.AFTER ?? -1,
      limit + 1,
    );
    return {
      MORE: rows.length > limit,
      RECIPIENTS: rows.slice(0, limit).map((row) => ({
        SEQ: row.seq,
        ADDRESS: row.address,
        STATE: row.state,
        ATTEMPTS: row.attempts,
        ...(row.worker === undefined ? {} : { WORKER_UUID: row.worker }),
        ...(row.relay === undefined ? {} : { RELAY: row.relay }),
        ...(row.reply === undefined ? {} : { REPLY: row.reply }),
        ...(row.at === undefined ? {} : { AT: new Date(row.at).toISOString() }),
        ...(row.dueAt === undefined ? {} : { DUE_AT: new Date(row.dueAt).toISOString() }),
        MAYBE_SENT: row.maybeSent,
      })),
    };
  }

  async #possibleDuplicates({ BATCH_UUID, AFTER, LIMIT }: ListPossibleDuplicates) {
    const limit = LIMIT ?? EVENTS_LIMIT;
    const events = await this.#batches.possibleDuplicates(BATCH_UUID, AFTER ?? 0, limit + 1);
    return {
      MORE: events.length > limit,
      EVENTS: events.slice(0, limit).map(({ id, seqs, task, worker, relay, at, why }) => ({
        ID: id,
        SEQS: seqs.map(([from, to]): [number, number] => [from, to]),
        ...(task === undefined ? {} : { TASK_UUID: task }),
        ...(worker === undefined ? {} : { WORKER_UUID: worker }),
        ...(relay === undefined ? {} : { RELAY: relay }),
        AT: new Date(at).toISOString(),
        WHY: why,
      })),
    };
  }

  #info(record: BatchRecord) {
    return batchInfo(record, this.#batches.live(record));
  }

  async #open(): Promise<Submission> {
    if (this.#isSpoiled) {
      await this.#drop();
      throw new RequestError(
        'BATCH_SPOILED',
        'a frame of this batch was not understood (see the NACK before), so the batch is dropped: submit it again',
      );
    }
    if (this.#submission === undefined) {
      throw new RequestError('NO_OPEN_BATCH', 'no batch is open on this connection: start with SUBMIT');
    }
    return this.#submission;
  }

  /** A submission that failed is gone as a whole: half a batch is never committed by mistake. */
  async #orDrop<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  async #drop(): Promise<void> {
    const submission = this.#submission;
    this.#submission = undefined;
    this.#isSpoiled = false;
    await submission?.drop();
  }
}

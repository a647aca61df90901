import type { z } from 'zod';
import {
  BatchAck,
  BatchesAck,
  ListAck,
  type ListRecipients,
  PossibleDuplicatesAck,
  rangesOf,
  ServerAck,
} from '../protocol/index.ts';
import { serverUrl } from './address.ts';
import { pause, pauseMs } from './backoff.ts';
import {
  type Batch,
  type BatchRecipient,
  batchOf,
  type PossibleDuplicate,
  possibleDuplicateOf,
  recipientOf,
} from './batch.ts';
import { CannotConnectError, ClientClosedError, ConnectionLostError, MutiraoError } from './errors.ts';
import { Link, type LinkOptions, type Question } from './link.ts';
import { isRepeatable, type RowSource, rowsOf } from './recipients.ts';
import type { Submission } from './submission.ts';
import { type Submitted, Upload, type UploadListener } from './upload.ts';
import { type WatchOptions, watchBatch } from './watch.ts';

/** Times that a request is asked when the connection breaks under it. */
const ASK_ATTEMPTS = 3;
/** Times that an upload is begun, unless the options say otherwise. */
const UPLOAD_ATTEMPTS = 5;
/** Recipients in one page of a list: about 3 MB when all the replies are long. */
const PAGE_RECIPIENTS = 1_000;
/** Events in one page of possible duplicates. */
const PAGE_EVENTS = 100;

export interface ConnectOptions {
  /**
   * `ws://127.0.0.1:8765`, `wss://…`, or `host:port`. Several, where servers share a store: the first that can be reached is used,
   * and when it is gone the next one, in the middle of a watch or a submission too.
   */
  readonly server: string | readonly string[];
  readonly token?: string;
  /** Certificates in PEM form to check a `wss://` server against, instead of the system's. */
  readonly tlsCa?: string | Buffer;
  /** Ends the connecting; and later, whatever is going on. */
  readonly signal?: AbortSignal;
}

export interface SubmitOptions extends UploadListener {
  /** Begins the upload at most this many times when the connection breaks or the server is busy; 5 unless given. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
  /** An attempt has failed and the next one begins: rows are told and counted from the start again. */
  readonly onRepeat?: (error: MutiraoError) => void;
}

/** The states that `list` can ask for. */
export type ListedState = 'failed' | 'deferred' | 'unknown' | 'maybe-sent';

/** What becomes of recipients of which nobody knows whether they arrived: taken for sent, or sent again. */
export type Decision = 'sent' | 'retry';

/** What a request on a batch has changed. */
export interface Changed {
  readonly batch: Batch;
  /** Recipients that it moved to another state. */
  readonly changed: number;
}

/**
 * Connects to a server and shows the token.
 *
 * @throws CannotConnectError, ServerRefusedError (a wrong token)
 */
export async function connect(options: ConnectOptions): Promise<MutiraoClient> {
  const client = new MutiraoClient(options);
  await client.open();
  return client;
}

/**
 * A client of one server, or of several that share a store. Requests share a connection, which is opened again when it breaks; every submission and every
 * watch has a connection of its own, so that they run side by side. Close it in the end: `await using` does.
 */
export class MutiraoClient implements AsyncDisposable {
  readonly #addresses: readonly [string, ...string[]];
  /** Which of them was reached last. */
  #current = 0;
  readonly #options: Omit<LinkOptions, 'url'>;
  readonly #closed = new AbortController();
  readonly #links = new Set<Link>();
  #shared: Promise<Link> | undefined;

  constructor({ server, token, tlsCa, signal }: ConnectOptions) {
    const [first = '', ...others] = typeof server === 'string' ? [server] : server;
    this.#addresses = [serverUrl(first), ...others.map(serverUrl)];
    this.#options = { token, tlsCa };
    if (signal?.aborted === true) this.#closed.abort(signal.reason);
    const closed = this.#closed.signal;
    closed.addEventListener('abort', () => void this.#closeLinks(), { once: true });
    signal?.addEventListener('abort', () => this.#closed.abort(signal.reason), {
      once: true,
      signal: closed,
    });
  }

  /** Address in full of the server that it speaks with. */
  get address(): string {
    return this.#addresses[this.#current] ?? this.#addresses[0];
  }

  /** Connects now instead of with the first request. */
  async open(): Promise<void> {
    await this.#sharedLink();
  }

  /**
   * Submits a batch. Resolves when the server has made it durable. Memory does not grow with the number of recipients.
   *
   * When the connection breaks it begins again, if that is safe (nothing was committed, or the submission has a key) and
   * `recipients` is a function or an array.
   *
   * @throws ServerRefusedError, CannotConnectError, ConnectionLostError, InvalidSubmissionError
   */
  async submit(
    submission: Submission,
    recipients: RowSource,
    options: SubmitOptions = {},
  ): Promise<Submitted> {
    const attempts = isRepeatable(recipients) ? (options.attempts ?? UPLOAD_ATTEMPTS) : 1;
    const signal = this.#signalWith(options.signal);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#submitOnce(submission, recipients, options, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof MutiraoError) || !error.retry || attempt >= attempts) throw error;
        if (error instanceof ConnectionLostError && error.maybeCommitted) throw error;
        options.onRepeat?.(error);
        // One that is busy or stops: perhaps another one is not.
        this.#current = (this.#current + 1) % this.#addresses.length;
      }
      await pause(pauseMs(attempt), signal);
    }
  }

  /** The progress of a batch until it is finished or cancelled. Survives lost connections. */
  watch(batch: string, options: WatchOptions = {}): AsyncIterable<Batch> {
    const signal = this.#signalWith(options.signal);
    return watchBatch((stop) => this.#open(stop), batch, { ...options, signal });
  }

  /** The state of one batch. */
  async batch(batch: string): Promise<Batch> {
    return batchOf((await this.#ask({ CLIENT: 'BATCH', BATCH_UUID: batch }, BatchAck)).BATCH);
  }

  /** The newest batches, newest first. */
  async batches({ limit = 20 }: { readonly limit?: number } = {}): Promise<readonly Batch[]> {
    return (await this.#ask({ CLIENT: 'BATCHES', LIMIT: limit }, BatchesAck)).BATCHES.map(batchOf);
  }

  /** Recipients of a batch in one state with seq > `after`, in order of submission, read page by page. */
  async *list(
    batch: string,
    state: ListedState,
    options: { readonly after?: number } = {},
  ): AsyncGenerator<BatchRecipient, void, undefined> {
    const wanted = state.toUpperCase().replace('-', '_') as ListRecipients['STATE'];
    let after = options.after ?? -1;
    for (;;) {
      const question = {
        CLIENT: 'LIST',
        BATCH_UUID: batch,
        STATE: wanted,
        AFTER: after,
        LIMIT: PAGE_RECIPIENTS,
      };
      const page = await this.#ask(question, ListAck);
      for (const entry of page.RECIPIENTS) yield recipientOf(entry);
      const last = page.RECIPIENTS.at(-1);
      if (!page.MORE || last === undefined) return;
      after = last.SEQ;
    }
  }

  /** Sends nothing more of a batch for now; what is being sent is finished. */
  async pause(batch: string): Promise<Changed> {
    return this.#act('PAUSE', batch);
  }

  /** Goes on with a paused batch. */
  async resume(batch: string): Promise<Changed> {
    return this.#act('RESUME', batch);
  }

  /** Goes on with every paused batch of the server. @returns those */
  async resumeAll(): Promise<readonly Batch[]> {
    return (await this.#ask({ CLIENT: 'RESUME_ALL' }, BatchesAck)).BATCHES.map(batchOf);
  }

  /** Sends nothing more of a batch, ever. */
  async cancel(batch: string): Promise<Changed> {
    return this.#act('CANCEL', batch);
  }

  /** Sends the failed recipients of a batch again, and only those. */
  async retry(batch: string): Promise<Changed> {
    return this.#act('RETRY', batch);
  }

  /**
   * Says what became of recipients that are unknown: taken for sent, or sent again, so that they may get it twice.
   * @param seqs their numbers within the batch; all that are unknown unless given. Those that are not unknown stay as they are.
   */
  async resolve(batch: string, decision: Decision, seqs?: Iterable<number>): Promise<Changed> {
    const DECISION = decision.toUpperCase();
    const some = seqs === undefined ? {} : { SEQS: rangesOf(seqs) };
    const ack = await this.#ask({ CLIENT: 'RESOLVE', BATCH_UUID: batch, DECISION, ...some }, BatchAck);
    return { batch: batchOf(ack.BATCH), changed: ack.CHANGED ?? 0 };
  }

  /** The events after which mails of a batch may arrive twice, oldest first, read page by page. */
  async *possibleDuplicates(batch: string): AsyncGenerator<PossibleDuplicate, void, undefined> {
    let after = 0;
    for (;;) {
      const question = { CLIENT: 'POSSIBLE_DUPLICATES', BATCH_UUID: batch, AFTER: after, LIMIT: PAGE_EVENTS };
      const page = await this.#ask(question, PossibleDuplicatesAck);
      for (const event of page.EVENTS) yield possibleDuplicateOf(event);
      const last = page.EVENTS.at(-1);
      if (!page.MORE || last === undefined) return;
      after = last.ID;
    }
  }

  /** The server's own account of itself: load, workers, relays, peers, loans. */
  async server(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#ask({ CLIENT: 'SERVER' }, ServerAck)).SERVER;
  }

  /** Ends everything that is going on, with ClientClosedError, and the connections. */
  async close(): Promise<void> {
    this.#closed.abort(new ClientClosedError('the client is closed'));
    await this.#closeLinks();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #submitOnce(
    submission: Submission,
    recipients: RowSource,
    options: SubmitOptions,
    signal: AbortSignal,
  ): Promise<Submitted> {
    const link = await this.#open(signal);
    // Closing the connection drops what is uploaded so far.
    const stop = () => void link.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await new Upload(link, submission, options).run(rowsOf(recipients));
    } finally {
      signal.removeEventListener('abort', stop);
      void link.close();
    }
  }

  async #act(verb: string, batch: string): Promise<Changed> {
    const ack = await this.#ask({ CLIENT: verb, BATCH_UUID: batch }, BatchAck);
    return { batch: batchOf(ack.BATCH), changed: ack.CHANGED ?? 0 };
  }

  /** All requests may be asked twice: they read, or bring a batch into a state that it may already be in. */
  async #ask<T>(question: Question, schema: z.ZodType<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const link = await this.#sharedLink();
        return await link.ask(question, schema);
      } catch (error) {
        this.#closed.signal.throwIfAborted();
        if (!(error instanceof ConnectionLostError) || attempt >= ASK_ATTEMPTS) throw error;
      }
      await pause(pauseMs(attempt), this.#closed.signal);
    }
  }

  async #sharedLink(): Promise<Link> {
    for (;;) {
      this.#shared ??= this.#open(this.#closed.signal);
      const shared = this.#shared;
      const link = await shared.catch((error: unknown) => {
        if (this.#shared === shared) this.#shared = undefined;
        throw error;
      });
      if (!link.isLost) return link;
      if (this.#shared === shared) this.#shared = undefined;
    }
  }

  async #closeLinks(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.close()));
    this.#links.clear();
  }

  async #open(signal?: AbortSignal): Promise<Link> {
    const link = await this.#openAny(signal);
    for (const other of this.#links) if (other.isLost) this.#links.delete(other);
    this.#links.add(link);
    return link;
  }

  /** Tries the server that was reached last, and then the others. @throws what the first one said */
  async #openAny(signal?: AbortSignal): Promise<Link> {
    const from = this.#current;
    let firstError: unknown;
    for (let tried = 0; tried < this.#addresses.length; tried++) {
      this.#closed.signal.throwIfAborted();
      const at = (from + tried) % this.#addresses.length;
      try {
        const url = this.#addresses[at] as string;
        const link = await Link.open({ ...this.#options, url, signal });
        this.#current = at;
        return link;
      } catch (error) {
        if (!(error instanceof CannotConnectError)) throw error;
        firstError ??= error;
      }
    }
    throw firstError;
  }

  #signalWith(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
  }
}

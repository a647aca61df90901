import { createHash, type Hash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { MAX_ATTACHMENTS } from '../../mail/index.ts';
import {
  type AttachmentChunk,
  MAX_MESSAGE_BYTES,
  MAX_REJECTED_LISTED,
  type Message,
  type Recipient,
  type RejectedRow,
  type Submit,
} from '../../protocol/index.ts';
import { isNotOwner, StoreError } from '../store/errors.ts';
import { AddressSet } from './address-set.ts';
import type { BatchRecord, ResolvedOptions } from './batch.ts';
import { RequestError } from './request-error.ts';
import { compile, RowCheck } from './row-check.ts';
import type { BatchStore, StoredRecipient } from './store.ts';

interface KnownKey {
  readonly uuid: string;
  readonly fingerprint: string;
}

/** What COMMIT is answered with. */
export interface Committed {
  readonly record: BatchRecord;
  readonly rejected: readonly RejectedRow[];
  readonly rejectedCount: number;
  /** The key was submitted before, with the same content. */
  readonly existing: boolean;
}

/**
 * A batch on its way in, between SUBMIT and COMMIT. Its rows are checked, cleared of duplicates and stored chunk by chunk, but nobody sees
 * them before the commit; a submission that is dropped leaves nothing behind.
 *
 * A KEY that was committed before is not stored again: the content is only digested, and COMMIT compares.
 */
export class Submission {
  readonly #store: BatchStore;
  readonly #uuid = uuidv7();
  readonly #request: Submit;
  readonly #options: ResolvedOptions;
  readonly #check: RowCheck;
  readonly #addresses = new AddressSet();
  readonly #digest: Hash | undefined;
  readonly #attachments: NonNullable<Message['ATTACHMENTS']> = [];
  #attachmentBytes = 0;
  /** The batch that was committed under this key before. */
  readonly #known: KnownKey | undefined;
  #rows = 0;
  #accepted = 0;
  #duplicates = 0;
  #rejectedCount = 0;
  readonly #rejected: RejectedRow[] = [];

  private constructor(
    store: BatchStore,
    request: Submit,
    options: ResolvedOptions,
    known: KnownKey | undefined,
  ) {
    this.#known = known;
    this.#store = store;
    this.#request = request;
    this.#options = options;
    this.#check = new RowCheck(request.MESSAGE);
    this.#digest = request.KEY === undefined ? undefined : createHash('sha256');
    this.#digest?.update(JSON.stringify([request.NAME, request.MESSAGE, request.OPTIONS]));
  }

  /** @throws RequestError MESSAGE_INVALID, TEMPLATE_INVALID; StoreError */
  static async open(
    store: BatchStore,
    request: Submit,
    options: ResolvedOptions,
    now: number,
  ): Promise<Submission> {
    const known = request.KEY === undefined ? undefined : await store.findKey(request.KEY);
    const submission = new Submission(store, request, options, known);
    if (known === undefined) {
      const { KEY: key, NAME: name } = request;
      await store.openBatch({
        uuid: submission.#uuid,
        message: request.MESSAGE,
        options,
        createdAt: now,
        ...(key === undefined ? {} : { key }),
        ...(name === undefined ? {} : { name }),
      });
    }
    return submission;
  }

  get uuid(): string {
    return this.#uuid;
  }

  /** Rows taken so far. */
  get received(): number {
    return this.#rows;
  }

  /** Takes the next rows; those that are wrong are returned and do not stop the others. */
  async add(rows: readonly Recipient[]): Promise<readonly RejectedRow[]> {
    const from = this.#accepted;
    const good: StoredRecipient[] = [];
    const bad: RejectedRow[] = [];
    for (const row of rows) {
      this.#rows++;
      const checked = this.#check.row(row);
      this.#digest?.update(
        `\n${row.ADDRESS}\0${row.NAME ?? ''}\0${checked.ok ? (checked.recipient.variables ?? '') : checked.reason}`,
      );
      if (!checked.ok)
        bad.push({ ROW: this.#rows, ADDRESS: row.ADDRESS.slice(0, 254), REASON: checked.reason });
      else if (this.#addresses.add(checked.key)) good.push(checked.recipient);
      else this.#duplicates++;
    }
    this.#accepted += good.length;
    this.#rejectedCount += bad.length;
    this.#rejected.push(...bad.slice(0, MAX_REJECTED_LISTED - this.#rejected.length));
    if (this.#known === undefined && good.length > 0)
      await this.#whileOpen(this.#store.addRecipients(this.#uuid, from, good));
    return bad;
  }

  /** Takes a piece of an attachment. @throws RequestError TOO_LARGE */
  attach(piece: AttachmentChunk): void {
    this.#attachmentBytes += piece.CONTENT.length;
    if (this.#attachmentBytes > MAX_MESSAGE_BYTES) {
      throw new RequestError(
        'TOO_LARGE',
        `the attachments are larger than ${MAX_MESSAGE_BYTES} bytes as base64; send a link instead`,
      );
    }
    const last = this.#attachments.at(-1);
    if (last?.FILENAME === piece.FILENAME && last.CID === piece.CID) last.CONTENT += piece.CONTENT;
    else {
      if (this.#attachments.length === MAX_ATTACHMENTS)
        throw new RequestError('TOO_LARGE', `more than ${MAX_ATTACHMENTS} attachments`);
      const { FILENAME, CONTENT, CONTENT_TYPE, CID } = piece;
      this.#attachments.push({
        FILENAME,
        CONTENT,
        ...(CONTENT_TYPE === undefined ? {} : { CONTENT_TYPE }),
        ...(CID === undefined ? {} : { CID }),
      });
    }
  }

  /** @throws RequestError EMPTY_BATCH, REJECTED (strict), KEY_REUSED, MESSAGE_INVALID; StoreError. Nothing stays behind then. */
  async commit(): Promise<Committed> {
    const message = this.#message();
    if (this.#known !== undefined) return this.#existing(this.#known);
    if (this.#request.OPTIONS?.STRICT === true && this.#rejectedCount > 0) {
      const first = this.#rejected[0];
      throw new RequestError(
        'REJECTED',
        `${this.#rejectedCount} of ${this.#rows} rows are wrong and the batch is strict; the first is row ${first?.ROW}: ${first?.REASON}`,
      );
    }
    if (this.#accepted === 0) {
      const why =
        this.#rows === 0
          ? 'it has no recipients'
          : `every row was rejected (${this.#rows}), the first because: ${this.#rejected[0]?.REASON}`;
      throw new RequestError('EMPTY_BATCH', `the batch is empty: ${why}`);
    }
    try {
      const record = await this.#whileOpen(
        this.#store.commitBatch(this.#uuid, {
          message,
          total: this.#accepted,
          rejected: this.#rejectedCount,
          duplicates: this.#duplicates,
          fingerprint: this.#fingerprint(),
        }),
      );
      return { record, rejected: this.#rejected, rejectedCount: this.#rejectedCount, existing: false };
    } catch (error) {
      const winner =
        error instanceof StoreError && error.code === 'KEY_TAKEN'
          ? await this.#store.findKey(this.#request.KEY ?? '')
          : undefined;
      if (winner === undefined) throw error;
      await this.drop();
      return this.#existing(winner);
    }
  }

  /** Leaves nothing behind. */
  async drop(): Promise<void> {
    if (this.#known !== undefined) return;
    try {
      await this.#store.dropOpenBatch(this.#uuid);
    } catch (error) {
      // Whoever owns it has removed it.
      if (!isNotOwner(error)) throw error;
    }
  }

  get options(): ResolvedOptions {
    return this.#options;
  }

  /** A server that was not heard of for a while loses what is being submitted to it, too. */
  async #whileOpen<T>(write: Promise<T>): Promise<T> {
    try {
      return await write;
    } catch (error) {
      const isGone = error instanceof StoreError && (error.code === 'BATCH_NOT_OPEN' || isNotOwner(error));
      if (!isGone) throw error;
      throw new RequestError(
        'SUBMISSION_LOST',
        'the server lost its hold of the store for a while, and with it what was submitted so far: nothing of it is sent; submit it again',
        { retry: true, cause: error },
      );
    }
  }

  /** Of the content, however it was cut into frames. */
  #fingerprint(): string {
    if (this.#digest === undefined) return '';
    const digest = this.#digest.copy();
    if (this.#attachments.length > 0) digest.update(JSON.stringify(this.#attachments));
    return digest.digest('hex');
  }

  async #existing(known: KnownKey): Promise<Committed> {
    if (known.fingerprint !== this.#fingerprint()) {
      throw new RequestError(
        'KEY_REUSED',
        `the key "${this.#request.KEY}" was used for batch ${known.uuid}, which has another message or other recipients; choose another key`,
        { field: 'KEY' },
      );
    }
    const record = await this.#store.getBatch(known.uuid);
    if (record === undefined)
      throw new RequestError('UNKNOWN_BATCH', `batch ${known.uuid} of this key is gone`);
    return { record, rejected: this.#rejected, rejectedCount: this.#rejectedCount, existing: true };
  }

  #message(): Message {
    if (this.#attachments.length === 0) return this.#request.MESSAGE;
    const message = {
      ...this.#request.MESSAGE,
      ATTACHMENTS: [...(this.#request.MESSAGE.ATTACHMENTS ?? []), ...this.#attachments],
    };
    compile(message);
    return message;
  }
}

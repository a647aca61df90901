import { z } from 'zod';
import { ChunkAck, CommitAck, MAX_REJECTED_LISTED } from '../protocol/index.ts';
import { type Chunk, chunksOf } from './chunker.ts';
import { ConnectionLostError, InvalidSubmissionError } from './errors.ts';
import { FlightWindow } from './flight-window.ts';
import type { Link } from './link.ts';
import type { Rejection, Rows } from './recipients.ts';
import { attachmentMessages, type Submission, submitMessage } from './submission.ts';

/** Frames on their way and not yet acknowledged: the server works on one while the next travels. */
export const FRAMES_IN_FLIGHT = 2;

/** How far the upload is. */
export interface UploadProgress {
  /** Rows that the server has taken over, the bad ones included. */
  readonly rows: number;
  readonly rejected: number;
}

/** What became of a submission. The batch is durable. */
export interface Submitted {
  /** Identifier of the batch. */
  readonly batch: string;
  readonly accepted: number;
  /** Rows that are not in the batch because something is wrong with them. */
  readonly rejected: number;
  /** The first of these; `onRejected` tells all. */
  readonly rejectedRows: readonly Rejection[];
  /** Rows merged with an earlier one of the same address. */
  readonly duplicates: number;
  /** True: this key was submitted before, and this is that batch. */
  readonly existing: boolean;
}

export interface UploadListener {
  readonly onRejected?: (rejection: Rejection) => void;
  readonly onProgress?: (progress: UploadProgress) => void;
}

/**
 * One attempt to bring a submission to the server over a connection of its own: SUBMIT, then attachments and chunks of
 * recipients with a bounded number in flight, then COMMIT once all are acknowledged (a COMMIT behind a chunk that is refused
 * would make a batch with a hole).
 */
export class Upload {
  readonly #link: Link;
  readonly #submission: Submission;
  readonly #listener: UploadListener;
  readonly #window = new FlightWindow(FRAMES_IN_FLIGHT);
  readonly #rejectedRows: Rejection[] = [];
  #rows = 0;
  #rejected = 0;
  #unsendable = 0;

  constructor(link: Link, submission: Submission, listener: UploadListener) {
    this.#link = link;
    this.#submission = submission;
    this.#listener = listener;
    link.listen(() => {}, this.#window.fail);
  }

  /** @throws ServerRefusedError, ConnectionLostError, InvalidSubmissionError, and what the rows throw */
  async run(rows: Rows): Promise<Submitted> {
    await this.#link.ask(submitMessage(this.#submission), z.unknown());
    for (const attachment of this.#submission.attachments ?? []) {
      for (const piece of attachmentMessages(attachment)) {
        await this.#window.add(async () => void (await this.#link.ask(piece, z.unknown())));
      }
    }
    await this.#sendRows(rows);
    await this.#window.drained();
    return this.#commit();
  }

  /** Does not wait for a slow source any longer when the connection is lost under it. */
  async #sendRows(rows: Rows): Promise<void> {
    const chunks = chunksOf(rows, (rejection) => this.#refuse(rejection));
    try {
      for (;;) {
        const next = await this.#window.unlessFailed(chunks.next());
        if (next.done === true) return;
        const chunk = next.value;
        await this.#window.add(() => this.#bring(chunk));
      }
    } finally {
      // Lets the source close its file. A source that hangs would keep this from resolving, so nobody waits for it.
      chunks.return(undefined).catch(() => {});
    }
  }

  async #commit(): Promise<Submitted> {
    const ack = await this.#link.ask({ CLIENT: 'COMMIT' }, CommitAck).catch((error) => {
      if (!(error instanceof ConnectionLostError) || this.#submission.key !== undefined) throw error;
      throw new ConnectionLostError(
        'the connection was lost while the batch was being committed: it may exist or not; look before submitting it again, and give a key next time',
        { cause: error, maybeCommitted: true },
      );
    });
    const listed = ack.REJECTED.map(({ ROW, ADDRESS, REASON }) => ({
      row: ROW,
      address: ADDRESS,
      reason: REASON,
    }));
    return {
      batch: ack.BATCH_UUID,
      accepted: ack.ACCEPTED,
      rejected: ack.REJECTED_COUNT + this.#unsendable,
      rejectedRows: this.#rejectedRows.length > 0 ? this.#rejectedRows : listed,
      duplicates: ack.DUPLICATES,
      existing: ack.EXISTING ?? false,
    };
  }

  async #bring(chunk: Chunk): Promise<void> {
    const ack = await this.#link.askText((req) => chunk.frame(req), ChunkAck);
    this.#rows += chunk.size;
    for (const row of ack.REJECTED) this.#reject(chunk.locate(row));
    this.#listener.onProgress?.({ rows: this.#rows, rejected: this.#rejected });
  }

  /** A row that cannot be sent to the server, which therefore cannot count it. */
  #refuse(rejection: Rejection): void {
    this.#unsendable++;
    this.#rows++;
    this.#reject(rejection);
    if (this.#submission.strict !== true) return;
    const where = rejection.origin ?? `row ${rejection.row}`;
    throw new InvalidSubmissionError(
      `${where}: ${rejection.reason}; nothing is submitted, because strict was asked for`,
    );
  }

  #reject(rejection: Rejection): void {
    this.#rejected++;
    if (this.#rejectedRows.length < MAX_REJECTED_LISTED) this.#rejectedRows.push(rejection);
    this.#listener.onRejected?.(rejection);
  }
}

import { Buffer } from 'node:buffer';
import { type BatchOptions, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES } from '../protocol/index.ts';
import { InvalidSubmissionError } from './errors.ts';

/** A file that goes with every mail of the batch. */
export interface SubmittedAttachment {
  /** Differs from those of the other attachments. */
  readonly filename: string;
  readonly contentType?: string;
  /** Content-ID, for `cid:` in the html. */
  readonly cid?: string;
  readonly content: Uint8Array;
}

/** What a batch says. Subject, text, html and header values are templates in Mustache syntax: `Dear {{name}}`. */
export interface Submission {
  /** `news@example.org` or `News <news@example.org>`. */
  readonly from: string;
  readonly replyTo?: string;
  readonly subject: string;
  /** One of `text` and `html` at least. */
  readonly text?: string;
  readonly html?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** URL or `mailto:` (RFC 2369). */
  readonly listUnsubscribe?: string;
  /** The URL takes the one-click POST of RFC 8058. */
  readonly oneClick?: boolean;
  readonly attachments?: readonly SubmittedAttachment[];
  /** For people, in lists of batches. */
  readonly name?: string;
  /** Makes the submission idempotent: the same key with the same content is the same batch, however often it is sent. */
  readonly key?: string;
  /** One bad row refuses the whole batch. */
  readonly strict?: boolean;
  /** Names of the relays that may be used. */
  readonly relays?: readonly string[];
  /** Delays of retries in seconds: the first, the longest, and how long to try at all. */
  readonly retry?: { readonly baseS?: number; readonly capS?: number; readonly forS?: number };
  /** When the relay cut the line after the final dot, so that nobody knows: send again (default), or leave it. */
  readonly onUnknown?: 'retry' | 'hold';
  /** Seconds from now, or a time: what was not sent by then fails instead. The server's default is five days. */
  readonly expires?: number | Date;
}

/** The SUBMIT message, without recipients and attachments. @throws InvalidSubmissionError when it fits into no frame */
export function submitMessage(submission: Submission): {
  readonly CLIENT: 'SUBMIT';
  readonly [key: string]: unknown;
} {
  const { attachments = [] } = submission;
  const names = new Set<string>();
  for (const { filename } of attachments) {
    if (names.has(filename))
      throw new InvalidSubmissionError(`two attachments are called "${filename}"; rename one`);
    names.add(filename);
  }
  const attached = attachments.reduce((sum, { content }) => sum + Math.ceil(content.byteLength / 3) * 4, 0);
  if (attached > MAX_MESSAGE_BYTES) {
    throw new InvalidSubmissionError(
      `the attachments are ${mebibytes(attached)} MiB as they travel (base64), allowed are ${mebibytes(MAX_MESSAGE_BYTES)} MiB; send links instead`,
    );
  }
  const message = {
    CLIENT: 'SUBMIT',
    KEY: submission.key,
    NAME: submission.name,
    MESSAGE: {
      FROM: submission.from,
      REPLY_TO: submission.replyTo,
      SUBJECT: submission.subject,
      TEXT: submission.text,
      HTML: submission.html,
      HEADERS: submission.headers,
      LIST_UNSUBSCRIBE: submission.listUnsubscribe,
      ONE_CLICK: submission.oneClick,
    },
    OPTIONS: optionsOf(submission),
  } as const;
  const bytes = Buffer.byteLength(JSON.stringify(message));
  if (bytes > MAX_FRAME_BYTES - 1_000) {
    throw new InvalidSubmissionError(
      `the message is ${Math.ceil(bytes / 1024)} KiB, and its subject, text and html together must stay below ${MAX_FRAME_BYTES / 1024} KiB; ` +
        'put images on a web server or attach them with a cid',
    );
  }
  return message;
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1).replace(/\.0$/, '');
}

function optionsOf({ strict, relays, retry, onUnknown, expires }: Submission): BatchOptions {
  return {
    STRICT: strict,
    RELAYS: relays === undefined ? undefined : [...relays],
    RETRY_BASE_S: retry?.baseS,
    RETRY_CAP_S: retry?.capS,
    RETRY_FOR_S: retry?.forS,
    ON_UNKNOWN: onUnknown === undefined ? undefined : onUnknown === 'hold' ? 'HOLD' : 'RETRY',
    EXPIRES: expires instanceof Date ? expires.toISOString() : expires,
  };
}

/**
 * Bytes of an attachment in one frame: base64 makes 512 KiB of it, half of what a frame may hold. A multiple of three, so
 * that no piece but the last is padded and the pieces may be joined as they are.
 */
const PIECE_BYTES = 384 * 1024;

/** The ATTACHMENT messages of one attachment, in order; one even when it is empty. */
export function* attachmentMessages({
  filename,
  contentType,
  cid,
  content,
}: SubmittedAttachment): Generator<{ readonly CLIENT: 'ATTACHMENT'; readonly [key: string]: unknown }> {
  let offset = 0;
  do {
    const piece = Buffer.from(
      content.buffer,
      content.byteOffset + offset,
      Math.min(PIECE_BYTES, content.byteLength - offset),
    );
    offset += PIECE_BYTES;
    yield {
      CLIENT: 'ATTACHMENT',
      FILENAME: filename,
      CONTENT_TYPE: contentType,
      CID: cid,
      CONTENT: piece.toString('base64'),
    };
  } while (offset < content.byteLength);
}

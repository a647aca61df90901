import { z } from 'zod';
import { Identifier, SeqRangesSchema, Token, Version } from './common.ts';
import { MAX_ADDRESS_CHARS, MAX_CHUNK_RECIPIENTS } from './limits.ts';
import { Message } from './worker.ts';

const request = {
  REQ: z.int().nonnegative().optional().describe('chosen by the client, echoed in the answer'),
  TOKEN: Token.optional(),
  PROTOCOL: Version.optional(),
};

/** One row of a batch. What is wrong with it is found out row by row and does not stop the others. */
export const Recipient = z.object({
  ADDRESS: z.string().max(MAX_ADDRESS_CHARS),
  NAME: z.string().max(1_000).optional(),
  VARIABLES: z.record(z.string(), z.unknown()).optional(),
});
export type Recipient = z.infer<typeof Recipient>;

const seconds = (max: number) => z.number().positive().max(max);
const YEAR_S = 366 * 24 * 3600;

/** How a batch is sent. Absent keys take the server's settings. */
export const BatchOptions = z.object({
  STRICT: z.boolean().optional().describe('one bad row refuses the whole batch'),
  RELAYS: z.array(z.string().max(64)).min(1).max(100).optional().describe('only these relays'),
  RETRY_BASE_S: seconds(YEAR_S).optional(),
  RETRY_CAP_S: seconds(YEAR_S).optional(),
  RETRY_FOR_S: seconds(YEAR_S).optional(),
  ON_UNKNOWN: z
    .enum(['RETRY', 'HOLD'])
    .optional()
    .describe('when the relay cut the line after the final dot'),
  EXPIRES: z
    .union([seconds(YEAR_S), z.iso.datetime({ offset: true })])
    .optional()
    .describe('seconds from now, or a time: what was not sent by then is not sent any more, and fails'),
});
export type BatchOptions = z.infer<typeof BatchOptions>;

/** Opens a batch. With COMMIT the frame is the whole batch. */
export const Submit = z.object({
  CLIENT: z.literal('SUBMIT'),
  ...request,
  KEY: z.string().min(1).max(200).optional().describe('makes the submission idempotent'),
  NAME: z.string().max(200).optional().describe('for people'),
  MESSAGE: Message,
  OPTIONS: BatchOptions.optional(),
  RECIPIENTS: z.array(Recipient).max(MAX_CHUNK_RECIPIENTS).optional(),
  COMMIT: z.boolean().optional(),
});
export type Submit = z.infer<typeof Submit>;

/** The next recipients of the batch that this connection has opened. */
export const RecipientsChunk = z.object({
  CLIENT: z.literal('RECIPIENTS'),
  ...request,
  RECIPIENTS: z.array(Recipient).min(1).max(MAX_CHUNK_RECIPIENTS),
});
export type RecipientsChunk = z.infer<typeof RecipientsChunk>;

/** A piece of an attachment of the batch that this connection has opened; pieces of one FILENAME follow each other. */
export const AttachmentChunk = z.object({
  CLIENT: z.literal('ATTACHMENT'),
  ...request,
  FILENAME: z.string().min(1).max(255),
  CONTENT_TYPE: z.string().max(255).optional(),
  CID: z.string().max(255).optional(),
  CONTENT: z.string().describe('base64'),
});
export type AttachmentChunk = z.infer<typeof AttachmentChunk>;

export const Commit = z.object({ CLIENT: z.literal('COMMIT'), ...request });
export const Abort = z.object({ CLIENT: z.literal('ABORT'), ...request });

const onBatch = { ...request, BATCH_UUID: Identifier };

/** Streams PROGRESS events of a batch until it is finished. */
export const Watch = z.object({
  CLIENT: z.literal('WATCH'),
  ...onBatch,
  EVERY_MS: z.int().min(50).max(60_000).optional().describe('shortest time between two events; 500'),
});
export const Unwatch = z.object({ CLIENT: z.literal('UNWATCH'), ...onBatch });
export const Pause = z.object({ CLIENT: z.literal('PAUSE'), ...onBatch });
export const Resume = z.object({ CLIENT: z.literal('RESUME'), ...onBatch });
/** Goes on with every batch that is paused, such as those of a server that found its store to be a copy. */
export const ResumeAll = z.object({ CLIENT: z.literal('RESUME_ALL'), ...request });
export const Cancel = z.object({ CLIENT: z.literal('CANCEL'), ...onBatch });
/** Sends the failed recipients of a batch again, and only those. */
export const Retry = z.object({ CLIENT: z.literal('RETRY'), ...onBatch });
/**
 * Says what became of recipients of which nobody knows whether they arrived. SENT: they are taken for sent. RETRY: they are
 * sent again, and may arrive twice. Those that are not unknown stay as they are; CHANGED tells how many were.
 */
export const Resolve = z.object({
  CLIENT: z.literal('RESOLVE'),
  ...onBatch,
  DECISION: z.enum(['SENT', 'RETRY']),
  SEQS: SeqRangesSchema.optional().describe('only these, as ranges of SEQ; absent: all that are unknown'),
});
export type Resolve = z.infer<typeof Resolve>;
/** The events after which recipients of a batch may get the same mail twice, in order of ID, page by page. */
export const ListPossibleDuplicates = z.object({
  CLIENT: z.literal('POSSIBLE_DUPLICATES'),
  ...onBatch,
  AFTER: z.int().nonnegative().optional().describe('last ID of the page before'),
  LIMIT: z.int().min(1).max(1_000).optional(),
});
export type ListPossibleDuplicates = z.infer<typeof ListPossibleDuplicates>;
/** The state of one batch. */
export const GetBatch = z.object({ CLIENT: z.literal('BATCH'), ...onBatch });
/** The newest batches, newest first. */
export const ListBatches = z.object({
  CLIENT: z.literal('BATCHES'),
  ...request,
  LIMIT: z.int().min(1).max(1_000).optional(),
});
/** The server: its load, workers, relays, peers and loans. */
export const GetServer = z.object({ CLIENT: z.literal('SERVER'), ...request });
/** Recipients of a batch in one state, in order of SEQ, page by page. */
export const ListRecipients = z.object({
  CLIENT: z.literal('LIST'),
  ...onBatch,
  STATE: z.enum(['FAILED', 'DEFERRED', 'UNKNOWN', 'MAYBE_SENT']),
  AFTER: z.int().min(-1).optional().describe('last SEQ of the page before'),
  LIMIT: z.int().min(1).max(10_000).optional(),
});
export type ListRecipients = z.infer<typeof ListRecipients>;

export const Counts = z.object({
  TOTAL: z.int(),
  PENDING: z.int(),
  LEASED: z.int(),
  DEFERRED: z.int(),
  SENT: z.int(),
  FAILED: z.int(),
  UNKNOWN: z.int(),
  SUPPRESSED: z.int(),
  CANCELLED: z.int(),
});
export type Counts = z.infer<typeof Counts>;

export const BatchState = z.enum(['RUNNING', 'PAUSED', 'CANCELLED', 'FINISHED']);

export const BatchInfo = z.object({
  BATCH_UUID: z.string(),
  NAME: z.string().optional(),
  SUBJECT: z.string(),
  STATE: BatchState,
  COUNTS: Counts,
  REJECTED: z.int().describe('rows refused at SUBMIT'),
  DUPLICATES: z.int().describe('rows merged with an earlier one of the same address'),
  MAYBE_SENT: z.int().describe('recipients sent again although an earlier attempt may have arrived'),
  SECOND_REPORTS: z.int().describe('recipients that the relay is known to have accepted twice'),
  CREATED_AT: z.string(),
  FINISHED_AT: z.string().optional(),
  EXPIRES_AT: z.string().optional().describe('what was not sent by then fails'),
  RATE: z.number().optional().describe('recipients settled per second'),
  WAITING: z.string().optional().describe('why nothing moves right now'),
});
export type BatchInfo = z.infer<typeof BatchInfo>;

export const RejectedRow = z.object({
  ROW: z.int().min(1).describe('position in the submission, from 1'),
  ADDRESS: z.string(),
  REASON: z.string(),
});
export type RejectedRow = z.infer<typeof RejectedRow>;

const answer = { STATUS: z.literal('ACK'), REQ: z.int().optional() };

/** The chunk is stored; send the next one. */
export const ChunkAck = z.object({
  ...answer,
  RECEIVED: z.int().describe('rows received so far'),
  REJECTED: z.array(RejectedRow).describe('the bad rows of this chunk'),
});
/** The batch is committed. */
export const CommitAck = z.object({
  ...answer,
  BATCH_UUID: z.string(),
  ACCEPTED: z.int(),
  REJECTED: z.array(RejectedRow).describe('the first bad rows'),
  REJECTED_COUNT: z.int(),
  DUPLICATES: z.int(),
  EXISTING: z.boolean().optional().describe('true: this KEY was submitted before, and this is that batch'),
});
export const BatchAck = z.object({ ...answer, BATCH: BatchInfo, CHANGED: z.int().optional() });
export const BatchesAck = z.object({ ...answer, BATCHES: z.array(BatchInfo) });
export const ServerAck = z.object({ ...answer, SERVER: z.record(z.string(), z.unknown()) });

export const RecipientEntry = z.object({
  SEQ: z.int(),
  ADDRESS: z.string(),
  STATE: z.string(),
  ATTEMPTS: z.int(),
  WORKER_UUID: z.string().optional().describe('the worker of the last attempt'),
  RELAY: z.string().optional(),
  REPLY: z.string().optional(),
  AT: z.string().optional(),
  DUE_AT: z.string().optional(),
  MAYBE_SENT: z.boolean(),
});
export type RecipientEntry = z.infer<typeof RecipientEntry>;

export const ListAck = z.object({
  ...answer,
  RECIPIENTS: z.array(RecipientEntry),
  MORE: z.boolean(),
});

/** One event after which mails may arrive twice. TASK_UUID and WORKER_UUID are absent where someone decided. */
export const PossibleDuplicate = z.object({
  ID: z.int(),
  SEQS: SeqRangesSchema,
  TASK_UUID: z.string().optional(),
  WORKER_UUID: z.string().optional(),
  RELAY: z.string().optional(),
  AT: z.string(),
  WHY: z.string(),
});
export type PossibleDuplicate = z.infer<typeof PossibleDuplicate>;

export const PossibleDuplicatesAck = z.object({
  ...answer,
  EVENTS: z.array(PossibleDuplicate),
  MORE: z.boolean(),
});

/** Sent to those who WATCH. The last one has STATE FINISHED or CANCELLED. */
export const Progress = z.object({ EVENT: z.literal('PROGRESS'), BATCH: BatchInfo });

export const ClientRequest = z.discriminatedUnion('CLIENT', [
  Submit,
  RecipientsChunk,
  AttachmentChunk,
  Commit,
  Abort,
  Watch,
  Unwatch,
  Pause,
  Resume,
  ResumeAll,
  Cancel,
  Retry,
  Resolve,
  ListPossibleDuplicates,
  GetBatch,
  ListBatches,
  GetServer,
  ListRecipients,
]);
export type ClientRequest = z.infer<typeof ClientRequest>;

export type ServerToClient =
  | z.infer<typeof ChunkAck>
  | z.infer<typeof CommitAck>
  | z.infer<typeof BatchAck>
  | z.infer<typeof BatchesAck>
  | z.infer<typeof ServerAck>
  | z.infer<typeof ListAck>
  | z.infer<typeof PossibleDuplicatesAck>
  | z.infer<typeof Progress>
  | import('./common.ts').Nack;

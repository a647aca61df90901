import { z } from 'zod';
import { Endpoint, Identifier, SeqRangesSchema, Token, Version } from './common.ts';
import { MAX_FAILOVER, MAX_REPLY_CHARS, MAX_SLOTS, MAX_TASK_RECIPIENTS } from './limits.ts';

/** Worker → server: here I am; and, unless SLOTS is 0, give me a task. */
export const WorkerAlive = z.object({
  WORKER: z.literal('ALIVE'),
  WORKER_UUID: Identifier.optional().describe('absent: the answer assigns one'),
  SERVER_UUID: Identifier.optional().describe('home server of a borrowed worker'),
  TICKET: z.string().max(4_096).optional().describe('the loan ticket of the REDIRECT'),
  SLOTS: z
    .int()
    .min(0)
    .max(MAX_SLOTS)
    .optional()
    .describe('tasks it could take now; absent means one, 0 asks for nothing'),
  TASKS: z
    .array(z.string().max(64))
    .max(1_000)
    .optional()
    .describe('leases it holds, renewed by this message'),
  CONNECTIONS: z.int().min(1).max(10_000).optional().describe('SMTP connections it opens per relay'),
  IN_FLIGHT: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe(
      'most transactions it has begun and not yet seen acknowledged, always the first of a task; absent: the whole task',
    ),
  LEAVING: z.boolean().optional().describe('it is draining: it finishes what it holds and takes nothing new'),
  TOKEN: Token.optional(),
  PROTOCOL: Version.optional(),
});
export type WorkerAlive = z.infer<typeof WorkerAlive>;

/** Where in the SMTP dialogue something happened. `LOCAL`: refused by the worker itself. */
export const Stage = z.enum([
  'CONNECT',
  'GREETING',
  'EHLO',
  'TLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'DOT',
  'LOCAL',
]);
export type Stage = z.infer<typeof Stage>;

/** How far the transaction got, by the worker's own record (RFC 5321 §4.2.5, §6.1). */
export const Phase = z.enum(['NOT_SENT', 'SENT_UNCONFIRMED', 'REPLIED']);
export type Phase = z.infer<typeof Phase>;

/** What happened to one recipient. A minimal worker sends SEQ, STATUS and perhaps REPLY. */
export const RecipientResult = z.object({
  SEQ: z.int().nonnegative(),
  STATUS: z.enum(['OK', 'NOK']),
  STAGE: Stage.optional(),
  PHASE: Phase.optional(),
  REPLY: z.string().max(MAX_REPLY_CHARS).optional().describe("the relay's reply, all its lines"),
  ERROR: z.string().max(MAX_REPLY_CHARS).optional().describe('what failed where there was no reply'),
});
export type RecipientResult = z.infer<typeof RecipientResult>;

/**
 * Worker → server: results of a task. With none of RESULTS, SENT, RETURNED and DONE it speaks for every recipient: OK, all
 * are sent; NOK, all failed for now. Otherwise only of the recipients it names; DONE closes the task and gives back the others.
 */
export const WorkerReport = z.object({
  STATUS: z.enum(['OK', 'NOK']),
  TASK: z.literal('SEND'),
  TASK_UUID: z.string().min(1).max(64),
  WORKER_UUID: Identifier.optional(),
  ERROR: z.string().max(MAX_REPLY_CHARS).optional(),
  RESULTS: z.array(RecipientResult).max(MAX_TASK_RECIPIENTS).optional(),
  SENT: SeqRangesSchema.optional().describe('recipients that the relay accepted, as ranges of SEQ'),
  RETURNED: SeqRangesSchema.optional().describe('recipients handed back untouched, as ranges of SEQ'),
  DONE: z.boolean().optional(),
  RECOVERED: z
    .boolean()
    .optional()
    .describe('the process that had the task ended without a word; this is what its successor knows of it'),
});
export type WorkerReport = z.infer<typeof WorkerReport>;

export const Attachment = z.object({
  FILENAME: z.string().min(1).max(255),
  CONTENT_TYPE: z.string().max(255).optional(),
  CONTENT: z.string().describe('base64'),
  CID: z.string().max(255).optional().describe('Content-ID for use as cid: in the html'),
});
export type Attachment = z.infer<typeof Attachment>;

const NO_MAILBOX = 'this is no mailbox, such as News <news@example.org>';

/** The message of a batch: a template in Mustache syntax, the same for all its recipients. */
export const Message = z.object({
  FROM: z.string().min(3, NO_MAILBOX).max(998),
  REPLY_TO: z.string().min(3, NO_MAILBOX).max(998).optional(),
  SUBJECT: z.string().max(5_000),
  TEXT: z.string().optional(),
  HTML: z.string().optional(),
  HEADERS: z.record(z.string(), z.string().max(10_000)).optional().describe('further header fields'),
  LIST_UNSUBSCRIBE: z.string().max(2_000).optional().describe('URL or mailto: of RFC 2369'),
  ONE_CLICK: z.boolean().optional().describe('List-Unsubscribe-Post of RFC 8058'),
  ATTACHMENTS: z.array(Attachment).max(100).optional(),
});
export type Message = z.infer<typeof Message>;

/** An SMTP server and how to speak to it. */
export const Relay = z.object({
  NAME: z.string().min(1).max(64),
  HOST: z.string().min(1).max(255),
  PORT: z.int().min(1).max(65_535),
  SECURE: z.boolean().describe('TLS from the first byte'),
  STARTTLS: z
    .enum(['AUTO', 'ALWAYS', 'NEVER'])
    .optional()
    .describe('AUTO (default): when the relay offers it'),
  VERIFY: z.boolean().optional().describe('false: accept any certificate'),
  USER: z.string().max(1_000).optional(),
  PASS: z.string().max(1_000).optional(),
  CLEAR_AUTH: z.boolean().optional().describe('true: log in over an unencrypted link to another host'),
  CONNECTIONS: z
    .int()
    .min(1)
    .optional()
    .describe('connections that this worker may open to the relay; absent: its own choice'),
});
export type Relay = z.infer<typeof Relay>;

/** How the worker signs the messages of a task (RFC 6376). The key is a secret like the relay's password. */
export const Dkim = z.object({
  DOMAIN: z.string().min(1).max(255),
  SELECTOR: z.string().min(1).max(255),
  KEY: z.string().max(20_000).describe('private key, PEM'),
});
export type Dkim = z.infer<typeof Dkim>;

export const TaskRecipient = z.object({
  SEQ: z.int().nonnegative(),
  ADDRESS: z.string(),
  NAME: z.string().optional(),
  VARIABLES: z.record(z.string(), z.unknown()).optional(),
  MESSAGE_ID: z.string(),
  ATTEMPT: z.int().optional(),
});
export type TaskRecipient = z.infer<typeof TaskRecipient>;

/** Server → worker: a task, complete in itself. */
export const TaskSend = z.object({
  TASK: z.literal('SEND'),
  TASK_UUID: z.string(),
  BATCH_UUID: z.string(),
  WORKER_UUID: z.string().optional().describe('the identifier assigned to a worker that gave none'),
  LEASE_S: z.number().positive(),
  DATE: z.string().describe('the Date of every message of the batch, ISO 8601'),
  MESSAGE: Message,
  RELAY: Relay,
  DKIM: Dkim.optional().describe('only sent to workers that give their PROTOCOL'),
  RECIPIENTS: z.array(TaskRecipient),
});
export type TaskSend = z.infer<typeof TaskSend>;

/** Server → worker: nothing for now, ask again. */
export const NoTask = z.object({ TASK: z.literal('NO_TASK'), WORKER_UUID: z.string().optional() });

/** Server → worker: those results are committed. */
export const ReportAck = z.object({ STATUS: z.literal('ACK'), TASK_UUID: z.string() });

/** Server → worker, in answer to TASKS: which leases run on, and which are lost (start nothing more of those). */
export const LeasesRenewed = z.object({
  TASK: z.literal('LEASES'),
  RENEWED: z.array(z.string()),
  LOST: z.array(z.string()),
  LEASE_S: z.number().positive(),
});

/** Server → worker: start nothing more of these tasks, finish what is in flight and give back the rest. */
export const HandBack = z.object({ TASK: z.literal('HAND_BACK'), TASKS: z.array(z.string()) });

/** Server → worker: go and work for that server. */
export const Redirect = z.object({
  TASK: z.literal('REDIRECT'),
  TARGET_MASTER: Endpoint,
  HOME_MASTER: Endpoint,
  SERVER_UUID: z.string().optional().describe('the home server, to be shown to the target'),
  FAILOVER_LIST: z.array(Endpoint),
  TICKET: z.string(),
  LEND_S: z.number().positive().optional().describe('longest stay, seconds'),
});
export type Redirect = z.infer<typeof Redirect>;

/** Server → worker: go home. */
export const Return = z.object({ TASK: z.literal('RETURN'), SERVER_RETURN: Endpoint });

/**
 * Server → worker, before its first task and whenever it changes: the servers that share this one's store. A worker that
 * cannot reach its server any more may go there with what it holds; a report is understood at each of them. Whoever ignores it
 * waits for its own server.
 */
export const Failover = z.object({
  TASK: z.literal('FAILOVER'),
  STORE: z.string().min(1).max(200).describe('names the store; the same at all servers that share it'),
  FAILOVER_LIST: z.array(Endpoint).max(MAX_FAILOVER).describe('those that live, without the one that tells'),
  LEAVING: z
    .boolean()
    .optional()
    .describe('this server stops and leaves its batches to them: go there without waiting for it'),
});
export type Failover = z.infer<typeof Failover>;

export type WorkerToServer = WorkerAlive | WorkerReport;
export type ServerToWorker =
  | TaskSend
  | z.infer<typeof NoTask>
  | z.infer<typeof ReportAck>
  | z.infer<typeof LeasesRenewed>
  | z.infer<typeof HandBack>
  | Redirect
  | z.infer<typeof Return>
  | Failover
  | import('./common.ts').Nack;

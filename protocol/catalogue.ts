import type { z } from 'zod';
import * as client from './client.ts';
import { Nack } from './common.ts';
import * as peer from './peer.ts';
import * as worker from './worker.ts';

/** One message of the wire, for documents and for tests that go through all of them. */
export interface MessageEntry {
  /** File name of its schema, such as `worker-alive`. */
  readonly id: string;
  readonly conversation: 'worker' | 'peer' | 'client' | 'any';
  /** `in`: sent to a server by the other side; `out`: sent by a server; `both`: between servers. */
  readonly direction: 'in' | 'out' | 'both';
  readonly title: string;
  readonly description: string;
  readonly schema: z.ZodType;
  readonly example: unknown;
}

const WORKER_ID = '01939c6e-6b1f-7000-8000-0000000000aa';
const SERVER_ID = '01939c6e-6b1f-7000-8000-0000000000bb';
const TASK_ID = '01939c6e-6b1f-7000-8000-0000000000cc';
const BATCH_ID = '01939c6e-6b1f-7000-8000-0000000000dd';
const HERE = { IP: '127.0.0.1', PORT: 8765 };
const THERE = { IP: '127.0.0.1', PORT: 8766 };
const MESSAGE = { FROM: 'News <news@example.org>', SUBJECT: 'Hello {{name}}', TEXT: 'Dear {{name}}, …' };
const COUNTS = {
  TOTAL: 3,
  PENDING: 0,
  LEASED: 1,
  DEFERRED: 0,
  SENT: 2,
  FAILED: 0,
  UNKNOWN: 0,
  SUPPRESSED: 0,
  CANCELLED: 0,
};
const BATCH = {
  BATCH_UUID: BATCH_ID,
  SUBJECT: 'Hello {{name}}',
  STATE: 'RUNNING',
  COUNTS,
  REJECTED: 0,
  DUPLICATES: 0,
  MAYBE_SENT: 0,
  SECOND_REPORTS: 0,
  CREATED_AT: '2026-01-01T12:00:00.000Z',
};
const LOAD = {
  READY: 20_000,
  SENDING: 400,
  WORKERS: 2,
  IDLE: 0,
  LENT: 0,
  BORROWED: 0,
  RATE: 400,
  DRAIN_S: 50,
};

const entry = (
  id: string,
  conversation: MessageEntry['conversation'],
  direction: MessageEntry['direction'],
  title: string,
  description: string,
  schema: z.ZodType,
  example: unknown,
): MessageEntry => ({ id, conversation, direction, title, description, schema, example });

/** Every message of the wire. */
export const MESSAGES: readonly MessageEntry[] = [
  entry(
    'worker-alive',
    'worker',
    'in',
    'ALIVE',
    'Here I am; give me a task. Also the heartbeat that renews the leases it lists.',
    worker.WorkerAlive,
    { WORKER: 'ALIVE', WORKER_UUID: WORKER_ID, SLOTS: 1, TASKS: [] },
  ),
  entry(
    'worker-report',
    'worker',
    'in',
    'OK / NOK',
    'Results of a task. Without RESULTS, SENT, RETURNED and DONE it speaks for every recipient.',
    worker.WorkerReport,
    { STATUS: 'OK', TASK: 'SEND', TASK_UUID: TASK_ID, WORKER_UUID: WORKER_ID },
  ),
  entry('task-send', 'worker', 'out', 'SEND', 'A task, complete in itself.', worker.TaskSend, {
    TASK: 'SEND',
    TASK_UUID: TASK_ID,
    BATCH_UUID: BATCH_ID,
    LEASE_S: 60,
    DATE: '2026-01-01T12:00:00.000Z',
    MESSAGE,
    RELAY: { NAME: 'mx', HOST: '127.0.0.1', PORT: 2525, SECURE: false },
    RECIPIENTS: [
      {
        SEQ: 0,
        ADDRESS: 'ana@example.net',
        VARIABLES: { name: 'Ana' },
        MESSAGE_ID: `<${BATCH_ID}.0@example.org>`,
      },
    ],
  }),
  entry(
    'no-task',
    'worker',
    'out',
    'NO_TASK',
    'Nothing for now: ask again. The pull has been parked before.',
    worker.NoTask,
    { TASK: 'NO_TASK' },
  ),
  entry('report-ack', 'worker', 'out', 'ACK', 'The results are committed.', worker.ReportAck, {
    STATUS: 'ACK',
    TASK_UUID: TASK_ID,
  }),
  entry(
    'leases',
    'worker',
    'out',
    'LEASES',
    'Which of the listed leases run on, and which are lost.',
    worker.LeasesRenewed,
    { TASK: 'LEASES', RENEWED: [TASK_ID], LOST: [], LEASE_S: 60 },
  ),
  entry(
    'hand-back',
    'worker',
    'out',
    'HAND_BACK',
    'Start nothing more of these tasks and give back the rest.',
    worker.HandBack,
    { TASK: 'HAND_BACK', TASKS: [TASK_ID] },
  ),
  entry('redirect', 'worker', 'out', 'REDIRECT', 'Go and work for that server.', worker.Redirect, {
    TASK: 'REDIRECT',
    TARGET_MASTER: THERE,
    HOME_MASTER: HERE,
    FAILOVER_LIST: [],
    TICKET: '…',
  }),
  entry('return', 'worker', 'out', 'RETURN', 'Go home.', worker.Return, {
    TASK: 'RETURN',
    SERVER_RETURN: HERE,
  }),

  entry(
    'failover',
    'worker',
    'out',
    'FAILOVER',
    'The servers that share this one’s store: where to go with what is held when it is gone.',
    worker.Failover,
    { TASK: 'FAILOVER', STORE: '7300000000000000000-16384', FAILOVER_LIST: [THERE] },
  ),

  entry('server-alive', 'peer', 'both', 'ALIVE REQUEST', 'Heartbeat, first dialect.', peer.ServerAlive, {
    SERVER: 'ALIVE',
    TASK: 'REQUEST',
    SERVER_UUID: SERVER_ID,
    ADDRESS: HERE,
    LOAD,
    PEERS: [],
  }),
  entry(
    'server-alive-reply',
    'peer',
    'both',
    'ALIVE RECIEVE',
    'Its answer; spelt so on the wire, RECEIVE is accepted.',
    peer.ServerAliveReply,
    { SERVER: 'ALIVE', TASK: 'RECIEVE', SERVER_UUID: SERVER_ID },
  ),
  entry('heartbeat', 'peer', 'both', 'HEARTBEAT', 'Heartbeat, second dialect.', peer.Heartbeat, {
    SERVER_UUID: SERVER_ID,
    TASK: 'HEARTBEAT',
  }),
  entry('heartbeat-reply', 'peer', 'both', 'HEARTBEAT ALIVE', 'Its answer.', peer.HeartbeatReply, {
    SERVER_UUID: SERVER_ID,
    TASK: 'HEARTBEAT',
    RESPONSE: 'ALIVE',
  }),
  entry('worker-request', 'peer', 'both', 'WORKER_REQUEST', 'Lend me workers.', peer.WorkerRequest, {
    TASK: 'WORKER_REQUEST',
    WORKERS_NEEDED: 5,
    SERVER_UUID: SERVER_ID,
  }),
  entry(
    'worker-response',
    'peer',
    'both',
    'WORKER_RESPONSE',
    'These workers are on their way, or why none is.',
    peer.WorkerResponse,
    { TASK: 'WORKER_RESPONSE', STATUS: 'ACK', MASTER: '127.0.0.1:8766', WORKERS: [WORKER_ID] },
  ),
  entry(
    'command-release',
    'peer',
    'both',
    'COMMAND_RELEASE',
    'From the home: send these workers back. From the borrower: these are on their way home.',
    peer.CommandRelease,
    { SERVER_UUID: SERVER_ID, TASK: 'COMMAND_RELEASE', WORKERS_UUID: [WORKER_ID] },
  ),
  entry(
    'release-reply',
    'peer',
    'both',
    'RELEASE_ACK / RELEASE_COMPLETED',
    'Understood; and later: done.',
    peer.ReleaseReply,
    { SERVER_UUID: SERVER_ID, TASK: 'COMMAND_RELEASE', RESPONSE: 'RELEASE_ACK', WORKERS_UUID: [WORKER_ID] },
  ),

  entry(
    'submit',
    'client',
    'in',
    'SUBMIT',
    'Opens a batch; with COMMIT the frame is the whole batch.',
    client.Submit,
    {
      CLIENT: 'SUBMIT',
      REQ: 1,
      KEY: 'news-2026-01',
      MESSAGE,
      RECIPIENTS: [{ ADDRESS: 'ana@example.net', VARIABLES: { name: 'Ana' } }],
    },
  ),
  entry(
    'recipients',
    'client',
    'in',
    'RECIPIENTS',
    'The next recipients of the open batch. Wait for the answer before the next one.',
    client.RecipientsChunk,
    {
      CLIENT: 'RECIPIENTS',
      REQ: 2,
      RECIPIENTS: [{ ADDRESS: 'rui@example.net', VARIABLES: { name: 'Rui' } }],
    },
  ),
  entry(
    'attachment',
    'client',
    'in',
    'ATTACHMENT',
    'A piece of an attachment of the open batch.',
    client.AttachmentChunk,
    { CLIENT: 'ATTACHMENT', FILENAME: 'a.txt', CONTENT: 'b2k=' },
  ),
  entry('commit', 'client', 'in', 'COMMIT', 'Closes the open batch: it is stored and sent.', client.Commit, {
    CLIENT: 'COMMIT',
    REQ: 3,
  }),
  entry(
    'abort',
    'client',
    'in',
    'ABORT',
    'Drops the open batch. So does closing the connection.',
    client.Abort,
    { CLIENT: 'ABORT' },
  ),
  entry('watch', 'client', 'in', 'WATCH', 'Streams PROGRESS of a batch until it is finished.', client.Watch, {
    CLIENT: 'WATCH',
    BATCH_UUID: BATCH_ID,
  }),
  entry('unwatch', 'client', 'in', 'UNWATCH', 'Ends a WATCH.', client.Unwatch, {
    CLIENT: 'UNWATCH',
    BATCH_UUID: BATCH_ID,
  }),
  entry('pause', 'client', 'in', 'PAUSE', 'Sends nothing more of a batch for now.', client.Pause, {
    CLIENT: 'PAUSE',
    BATCH_UUID: BATCH_ID,
  }),
  entry('resume', 'client', 'in', 'RESUME', 'Goes on with a paused batch.', client.Resume, {
    CLIENT: 'RESUME',
    BATCH_UUID: BATCH_ID,
  }),
  entry(
    'resume-all',
    'client',
    'in',
    'RESUME_ALL',
    'Goes on with every batch of the server that is paused.',
    client.ResumeAll,
    { CLIENT: 'RESUME_ALL' },
  ),
  entry('cancel', 'client', 'in', 'CANCEL', 'Sends nothing more of a batch, ever.', client.Cancel, {
    CLIENT: 'CANCEL',
    BATCH_UUID: BATCH_ID,
  }),
  entry(
    'retry',
    'client',
    'in',
    'RETRY',
    'Sends the failed recipients again, and only those.',
    client.Retry,
    { CLIENT: 'RETRY', BATCH_UUID: BATCH_ID },
  ),
  entry(
    'resolve',
    'client',
    'in',
    'RESOLVE',
    'Says what became of recipients that are unknown: taken for sent, or sent again.',
    client.Resolve,
    { CLIENT: 'RESOLVE', BATCH_UUID: BATCH_ID, DECISION: 'RETRY', SEQS: [[17, 17]] },
  ),
  entry(
    'possible-duplicates',
    'client',
    'in',
    'POSSIBLE_DUPLICATES',
    'Asks for the events after which mails of a batch may arrive twice.',
    client.ListPossibleDuplicates,
    { CLIENT: 'POSSIBLE_DUPLICATES', BATCH_UUID: BATCH_ID },
  ),
  entry('batch', 'client', 'in', 'BATCH', 'Asks for the state of a batch.', client.GetBatch, {
    CLIENT: 'BATCH',
    BATCH_UUID: BATCH_ID,
  }),
  entry('batches', 'client', 'in', 'BATCHES', 'Asks for the newest batches.', client.ListBatches, {
    CLIENT: 'BATCHES',
  }),
  entry('server', 'client', 'in', 'SERVER', 'Asks for the state of the server.', client.GetServer, {
    CLIENT: 'SERVER',
  }),
  entry('list', 'client', 'in', 'LIST', 'Asks for the recipients in one state.', client.ListRecipients, {
    CLIENT: 'LIST',
    BATCH_UUID: BATCH_ID,
    STATE: 'FAILED',
  }),
  entry(
    'chunk-ack',
    'client',
    'out',
    'ACK of a chunk',
    'The chunk is taken; send the next one.',
    client.ChunkAck,
    { STATUS: 'ACK', REQ: 2, RECEIVED: 2, REJECTED: [] },
  ),
  entry('commit-ack', 'client', 'out', 'ACK of a batch', 'The batch is durable.', client.CommitAck, {
    STATUS: 'ACK',
    REQ: 3,
    BATCH_UUID: BATCH_ID,
    ACCEPTED: 2,
    REJECTED: [],
    REJECTED_COUNT: 0,
    DUPLICATES: 0,
  }),
  entry(
    'batch-ack',
    'client',
    'out',
    'ACK with a batch',
    'Answer to BATCH, PAUSE, RESUME, CANCEL, RETRY and RESOLVE.',
    client.BatchAck,
    { STATUS: 'ACK', BATCH },
  ),
  entry(
    'batches-ack',
    'client',
    'out',
    'ACK with batches',
    'Answer to BATCHES, and to RESUME_ALL with those that go on.',
    client.BatchesAck,
    {
      STATUS: 'ACK',
      BATCHES: [BATCH],
    },
  ),
  entry('server-ack', 'client', 'out', 'ACK with the server', 'Answer to SERVER.', client.ServerAck, {
    STATUS: 'ACK',
    SERVER: {},
  }),
  entry(
    'possible-duplicates-ack',
    'client',
    'out',
    'ACK with possible duplicates',
    'Answer to POSSIBLE_DUPLICATES.',
    client.PossibleDuplicatesAck,
    {
      STATUS: 'ACK',
      EVENTS: [
        {
          ID: 1,
          SEQS: [[16, 25]],
          TASK_UUID: TASK_ID,
          WORKER_UUID: WORKER_ID,
          RELAY: 'mx',
          AT: '2026-01-01T12:00:00.000Z',
          WHY: 'lease lost: worker gone',
        },
      ],
      MORE: false,
    },
  ),
  entry('list-ack', 'client', 'out', 'ACK with recipients', 'Answer to LIST.', client.ListAck, {
    STATUS: 'ACK',
    RECIPIENTS: [],
    MORE: false,
  }),
  entry('progress', 'client', 'out', 'PROGRESS', 'How far a watched batch is.', client.Progress, {
    EVENT: 'PROGRESS',
    BATCH,
  }),

  entry('nack', 'any', 'out', 'NACK', 'Could not be done: a stable CODE and what to do about it.', Nack, {
    STATUS: 'NACK',
    ERROR: { CODE: 'NOT_JSON', MESSAGE: 'the frame is not JSON; send one JSON object per text frame' },
  }),
];

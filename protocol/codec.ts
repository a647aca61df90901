import { z } from 'zod';
import { ClientRequest } from './client.ts';
import { Nack } from './common.ts';
import {
  CommandRelease,
  Heartbeat,
  HeartbeatReply,
  type PeerMessage,
  ReleaseReply,
  ServerAlive,
  ServerAliveReply,
  WorkerRequest,
  WorkerResponse,
} from './peer.ts';
import {
  Failover,
  HandBack,
  LeasesRenewed,
  NoTask,
  Redirect,
  ReportAck,
  Return,
  type ServerToWorker,
  TaskSend,
  WorkerAlive,
  WorkerReport,
  type WorkerToServer,
} from './worker.ts';

/** Who speaks with a server. The first message of a connection decides. */
export type Conversation = 'worker' | 'peer' | 'client';

/** A frame that could not be understood: what a NACK says of it. */
export interface FrameError {
  readonly code: 'NOT_JSON' | 'NOT_AN_OBJECT' | 'UNKNOWN_MESSAGE' | 'INVALID_MESSAGE';
  readonly message: string;
  /** Path of the wrong key, such as `RECIPIENTS.3.ADDRESS`. */
  readonly field?: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly error: FrameError };

type Keys = Readonly<Record<string, unknown>>;

/** Reads a text frame as a JSON object. */
export function parseObject(text: string): Parsed<Keys> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('NOT_JSON', 'the frame is not JSON; send one JSON object per text frame');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused('NOT_AN_OBJECT', 'the frame is JSON but not an object');
  }
  return { ok: true, message: value as Keys };
}

/** Which conversation a first message opens, if any. */
export function conversationOf(keys: Keys): Conversation | undefined {
  if ('CLIENT' in keys) return 'client';
  if ('WORKER' in keys || keys.TASK === 'SEND') return 'worker';
  if ('SERVER' in keys || peerSchemaOf(keys) !== undefined) return 'peer';
  return undefined;
}

const workerAlive = z.compile(WorkerAlive);
const workerReport = z.compile(WorkerReport);
const clientRequest = z.compile(ClientRequest);
const taskSend = z.compile(TaskSend);

/** A message from a worker to a server. */
export function parseFromWorker(keys: Keys): Parsed<WorkerToServer> {
  if ('WORKER' in keys) return check(workerAlive, keys);
  if ('STATUS' in keys) return check(workerReport, keys);
  return refused('UNKNOWN_MESSAGE', 'a worker sends WORKER "ALIVE" or a STATUS of its task', 'WORKER');
}

/** A message from one server to another. */
export function parseFromPeer(keys: Keys): Parsed<PeerMessage> {
  const schema = peerSchemaOf(keys);
  if (schema === undefined) {
    return refused(
      'UNKNOWN_MESSAGE',
      'a peer sends SERVER "ALIVE" or one of the TASKs HEARTBEAT, WORKER_REQUEST, WORKER_RESPONSE, COMMAND_RELEASE',
      'TASK',
    );
  }
  return check(schema, keys);
}

function peerSchemaOf(keys: Keys): z.ZodType<PeerMessage> | undefined {
  if ('SERVER' in keys) return keys.TASK === 'REQUEST' ? ServerAlive : ServerAliveReply;
  switch (keys.TASK) {
    case 'HEARTBEAT':
      return 'RESPONSE' in keys ? HeartbeatReply : Heartbeat;
    case 'WORKER_REQUEST':
      return WorkerRequest;
    case 'WORKER_RESPONSE':
      return WorkerResponse;
    case 'COMMAND_RELEASE':
      return 'RESPONSE' in keys ? ReleaseReply : CommandRelease;
    default:
      return undefined;
  }
}

/** A message from a client to a server. */
export function parseFromClient(keys: Keys): Parsed<ClientRequest> {
  return check(clientRequest, keys);
}

/** A message from a server to a worker. */
export function parseForWorker(keys: Keys): Parsed<ServerToWorker> {
  const schema = workerBoundSchemaOf(keys);
  if (schema === undefined) return refused('UNKNOWN_MESSAGE', 'not a message for a worker', 'TASK');
  return check(schema, keys);
}

function workerBoundSchemaOf(keys: Keys): z.ZodType<ServerToWorker> | undefined {
  switch (keys.TASK) {
    case 'SEND':
      return taskSend;
    case 'NO_TASK':
      return NoTask;
    case 'LEASES':
      return LeasesRenewed;
    case 'HAND_BACK':
      return HandBack;
    case 'REDIRECT':
      return Redirect;
    case 'RETURN':
      return Return;
    case 'FAILOVER':
      return Failover;
    default:
      if (keys.STATUS === 'ACK') return ReportAck;
      return keys.STATUS === 'NACK' ? Nack : undefined;
  }
}

function check<T>(schema: z.ZodType<T>, keys: Keys): Parsed<T> {
  const result = schema.safeParse(keys);
  if (result.success) return { ok: true, message: result.data };
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  return refused(
    'INVALID_MESSAGE',
    `${field === '' ? 'message' : field}: ${issue?.message ?? 'invalid'}`,
    field,
  );
}

function refused(
  code: FrameError['code'],
  message: string,
  field?: string,
): { ok: false; error: FrameError } {
  return {
    ok: false,
    error: field === undefined || field === '' ? { code, message } : { code, message, field },
  };
}

/** The NACK that tells the sender of a frame what is wrong with it; `task`: the frame was a report of that task. */
export function nackOf(
  error: { code: string; message: string; field?: string; retry?: boolean },
  req?: unknown,
  task?: string,
): Nack {
  return {
    STATUS: 'NACK',
    ...(task === undefined ? {} : { TASK_UUID: task }),
    ...(typeof req === 'number' && Number.isSafeInteger(req) ? { REQ: req } : {}),
    ERROR: {
      CODE: error.code,
      MESSAGE: error.message,
      ...(error.field === undefined ? {} : { FIELD: error.field }),
      ...(error.retry === undefined ? {} : { RETRY: error.retry }),
    },
  };
}

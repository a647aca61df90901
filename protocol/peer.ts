import { z } from 'zod';
import { Endpoint, Identifier, Token, Version } from './common.ts';
import { MAX_PEERS, MAX_WORKERS } from './limits.ts';

/** How busy a server is. Only work that more workers would speed up counts as READY. */
export const Load = z.object({
  READY: z.int().nonnegative().describe('recipients that could be sent now if a worker were free'),
  SENDING: z.int().nonnegative().describe('recipients leased to workers'),
  WORKERS: z.int().nonnegative().describe('workers connected, borrowed ones included'),
  IDLE: z.int().nonnegative().describe('own workers at home with nothing to do'),
  LENT: z.int().nonnegative(),
  BORROWED: z.int().nonnegative(),
  RATE: z.number().nonnegative().describe('recipients settled per second'),
  DRAIN_S: z.number().nonnegative().nullable().describe('READY / RATE; null: no rate is known yet'),
});
export type Load = z.infer<typeof Load>;

export const PeerInfo = Endpoint.extend({ SERVER_UUID: Identifier.optional() });
export type PeerInfo = z.infer<typeof PeerInfo>;

const presence = {
  SERVER_UUID: Identifier.optional(),
  INSTANCE: Identifier.optional().describe(
    'drawn at each start of the sender: two that run at the same time under one SERVER_UUID are copies',
  ),
  UP_S: z
    .number()
    .nonnegative()
    .optional()
    .describe('how long the sender has run: of two copies the one that runs for longer stays'),
  ADDRESS: Endpoint.optional().describe('where the sender can be reached'),
  LOAD: Load.optional(),
  PEERS: z.array(PeerInfo).max(MAX_PEERS).optional().describe('servers that the sender knows to be alive'),
  BORROWED: z
    .array(z.object({ WORKER_UUID: Identifier, HOME: Identifier }))
    .max(MAX_WORKERS)
    .optional()
    .describe('borrowed workers connected to the sender, for the ledgers of their homes'),
  TOKEN: Token.optional(),
  PROTOCOL: Version.optional(),
};

/** Heartbeat, first dialect. */
export const ServerAlive = z.object({ SERVER: z.literal('ALIVE'), TASK: z.literal('REQUEST'), ...presence });
export type ServerAlive = z.infer<typeof ServerAlive>;

/** Its answer; RECIEVE is spelt so on the wire. */
export const ServerAliveReply = z.object({
  SERVER: z.literal('ALIVE'),
  TASK: z.enum(['RECIEVE', 'RECEIVE']),
  ...presence,
});
export type ServerAliveReply = z.infer<typeof ServerAliveReply>;

/** Heartbeat, second dialect. */
export const Heartbeat = z.object({
  TASK: z.literal('HEARTBEAT'),
  ...presence,
  SERVER_UUID: Identifier,
});

export const HeartbeatReply = z.object({
  TASK: z.literal('HEARTBEAT'),
  RESPONSE: z.literal('ALIVE'),
  ...presence,
});

/** Lend me workers. */
export const WorkerRequest = z.object({
  TASK: z.literal('WORKER_REQUEST'),
  WORKERS_NEEDED: z.int().min(1).max(MAX_WORKERS),
  REQUESTOR_INFO: Endpoint.partial().optional(),
  SERVER_UUID: Identifier.optional(),
  DRAIN_S: z
    .number()
    .nonnegative()
    .nullable()
    .optional()
    .describe("the asker's time to drain its backlog; null: unknown"),
});
export type WorkerRequest = z.infer<typeof WorkerRequest>;

export const WorkerResponse = z.object({
  TASK: z.literal('WORKER_RESPONSE'),
  STATUS: z.enum(['ACK', 'NACK']),
  MASTER: z.string().max(300).optional().describe('the lender'),
  WORKERS: z.array(Identifier).max(MAX_WORKERS),
  REASON: z.string().max(300).optional(),
});
export type WorkerResponse = z.infer<typeof WorkerResponse>;

/**
 * From the home server: send these workers back. From the borrower: these are on their way home.
 * Either way the answers are RELEASE_ACK at once and RELEASE_COMPLETED when it is done.
 */
export const CommandRelease = z.object({
  TASK: z.literal('COMMAND_RELEASE'),
  SERVER_UUID: Identifier,
  WORKERS_UUID: z.array(Identifier).max(MAX_WORKERS),
});
export type CommandRelease = z.infer<typeof CommandRelease>;

export const ReleaseReply = z.object({
  TASK: z.literal('COMMAND_RELEASE'),
  RESPONSE: z.enum(['RELEASE_ACK', 'RELEASE_COMPLETED']),
  SERVER_UUID: Identifier.optional(),
  WORKERS_UUID: z.array(Identifier).max(MAX_WORKERS),
});
export type ReleaseReply = z.infer<typeof ReleaseReply>;

export type PeerMessage =
  | ServerAlive
  | ServerAliveReply
  | z.infer<typeof Heartbeat>
  | z.infer<typeof HeartbeatReply>
  | WorkerRequest
  | WorkerResponse
  | CommandRelease
  | ReleaseReply;

import {
  type Conversation,
  type Parsed,
  type PeerMessage,
  parseFromClient,
  parseFromPeer,
  parseFromWorker,
  type WorkerAlive,
} from '../../protocol/index.ts';
import type { ClientSession } from '../batches/client-session.ts';
import type { Admission, WorkerSession } from '../dispatch/worker-session.ts';
import type { PeerConnection } from '../mesh/ports.ts';
import type { Access } from './access.ts';
import type { Caller, Keys, Party, Refusal } from './conversation.ts';
import type { Line } from './line.ts';

/** What the three conversations need of the server. */
export interface PartyParts {
  readonly serverUuid: string;
  readonly access: Access;
  readonly workerSession: (line: Line) => WorkerSession;
  readonly clientSession: (line: Line) => ClientSession;
  readonly acceptPeer: (connection: PeerConnection, first: PeerMessage) => void;
  /** Lets a borrowed worker in by its ticket. */
  readonly admitBorrowed: (alive: WorkerAlive) => Admission | Refusal;
}

const UNAUTHORIZED = 'UNAUTHORIZED';

/** Begins a conversation with its first message: checks the token, and finds the one who answers. */
export function beginConversation(
  parts: PartyParts,
  conversation: Conversation,
  keys: Keys,
  caller: Caller,
  token: string | undefined,
): Party | Refusal | Parsed<never> {
  switch (conversation) {
    case 'worker':
      return beginWorker(parts, keys, caller, token);
    case 'client':
      return parts.access.allows('client', token)
        ? clientParty(parts.clientSession(caller.line))
        : refusal('clients', '--token or "mutirao profile set token …"');
    case 'peer':
      return parts.access.allows('peer', token)
        ? new PeerParty(parts, caller)
        : refusal('peers', '--token-mesh');
  }
}

const refusal = (who: string, how: string): Refusal => ({
  code: UNAUTHORIZED,
  message: `this server wants a token of ${who}: give the right one with ${how}`,
});

function beginWorker(
  parts: PartyParts,
  keys: Keys,
  caller: Caller,
  token: string | undefined,
): Party | Refusal | Parsed<never> {
  const parsed = parseFromWorker(keys);
  if (!parsed.ok) return parsed;
  if (!('WORKER' in parsed.message)) {
    return {
      ok: false,
      error: { code: 'UNKNOWN_MESSAGE', message: 'a worker begins with {"WORKER":"ALIVE"}', field: 'WORKER' },
    };
  }
  const alive = parsed.message;
  const borrowed =
    alive.TICKET !== undefined || (alive.SERVER_UUID !== undefined && alive.SERVER_UUID !== parts.serverUuid);
  const admission = borrowed ? parts.admitBorrowed(alive) : { home: undefined };
  if ('code' in admission) return admission;
  if (!borrowed && !parts.access.allows('worker', token)) return refusal('workers', '--token');
  const session = parts.workerSession(caller.line);
  let opened = false;
  return {
    frame: (frame) => {
      if (!opened) {
        opened = true;
        session.open(alive, admission);
        return undefined;
      }
      const message = parseFromWorker(frame);
      if (!message.ok) return message;
      session.message(message.message);
      return undefined;
    },
    closed: () => session.closed(),
  };
}

function clientParty(session: ClientSession): Party {
  return {
    frame: (keys) => {
      const request = parseFromClient(keys);
      return request.ok ? session.message(request.message).then(() => undefined) : request;
    },
    closed: () => session.closed(),
    misunderstood: () => session.misunderstood(),
  };
}

/** A peer that called us, as the mesh sees it. */
class PeerParty implements Party, PeerConnection {
  readonly #parts: PartyParts;
  readonly #line: Line;
  readonly remoteAddress: string | undefined;
  #known = false;
  #onMessage: (message: PeerMessage) => void = () => {};
  #onClose: (code: number, reason: string) => void = () => {};

  constructor(parts: PartyParts, caller: Caller) {
    this.#parts = parts;
    this.#line = caller.line;
    this.remoteAddress = caller.remoteAddress;
  }

  frame(keys: Keys): Parsed<unknown> | undefined {
    const parsed = parseFromPeer(keys);
    if (!parsed.ok) return parsed;
    if (this.#known) this.#onMessage(parsed.message);
    else {
      this.#known = true;
      this.#parts.acceptPeer(this, parsed.message);
    }
    return undefined;
  }

  closed(code: number, reason: string): void {
    this.#onClose(code, reason);
  }

  send(message: PeerMessage): void {
    this.#line.send(message);
  }

  close(code: number, reason: string): void {
    this.#line.close(code, reason);
  }

  onMessage(listener: (message: PeerMessage) => void): void {
    this.#onMessage = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#onClose = listener;
  }
}

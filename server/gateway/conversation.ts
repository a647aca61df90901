import type { IncomingHttpHeaders } from 'node:http';
import type { RawData, WebSocket } from 'ws';
import type { Logger, WarnLimiter } from '../../logging/index.ts';
import {
  AUTHENTICATE_WITHIN_MS,
  type Conversation,
  conversationOf,
  MAX_BAD_FRAMES,
  MAX_FRAME_BYTES,
  MAX_STRANGER_FRAME_BYTES,
  nackOf,
  type Parsed,
  parseObject,
} from '../../protocol/index.ts';
import type { SetTimer } from '../timers.ts';
import { type Access, bearerOf } from './access.ts';
import { Line } from './line.ts';

/** Close codes of ours (RFC 6455 §7.4.2). */
export const UNAUTHORIZED = 4401;
const POLICY_VIOLATION = 1008;

/** Frames of one connection that may wait to be answered before its socket is paused. */
const MAX_WAITING_FRAMES = 16;

export type Keys = Readonly<Record<string, unknown>>;

/** Why a caller was not let in. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** One side of a conversation that has begun: gets the frames that follow. A promise asks to wait with the next frame. */
export interface Party {
  frame(keys: Keys): undefined | Parsed<unknown> | Promise<undefined | Parsed<unknown>>;
  closed(code: number, reason: string): void | Promise<void>;
  /** A frame of the caller was not understood, and has been answered with a NACK. */
  misunderstood?(): void;
}

/** The request that a connection began with, as far as it is looked at. */
export interface Upgrade {
  readonly headers: Pick<IncomingHttpHeaders, 'authorization'>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

export interface Caller {
  readonly line: Line;
  readonly remoteAddress: string | undefined;
  /** Token of the upgrade request. */
  readonly bearer: string | undefined;
}

export interface ConversationParts {
  readonly access: Access;
  /** Time that a caller may take to say who it is, ms; AUTHENTICATE_WITHIN_MS. */
  readonly authenticateWithinMs?: number;
  readonly logger: Logger;
  readonly setTimer: SetTimer;
  /** Begins a conversation with its first message. */
  readonly begin: (
    conversation: Conversation,
    keys: Keys,
    caller: Caller,
    token: string | undefined,
  ) => Party | Refusal | Parsed<never>;
}

/**
 * One connection from its first frame to its end.
 *
 * - `waiting`: nobody knows yet who calls. The first understandable message decides, and must bring a token where one is asked for. After 5 s of
 *   silence or a wrong token the connection is closed (4401).
 * - `talking`: frames go to the party, one after the other.
 *
 * In both, a frame that is not understood is answered with a NACK that names the field; the fifth closes the connection (1008).
 *
 * - `closing`: we closed the connection. What the other end still sends is not looked at.
 */
export class ConversationHost {
  readonly #socket: WebSocket;
  readonly #parts: ConversationParts;
  readonly #caller: Caller;
  readonly #cancelDeadline: () => void;
  readonly #refusals: WarnLimiter;
  #party: Party | undefined;
  #badFrames = 0;
  /** Frames not yet handled, in their order. */
  readonly #frames: string[] = [];
  #handling = false;
  #closing = false;
  #end: { code: number; reason: string } | undefined;

  constructor(socket: WebSocket, request: Upgrade, parts: ConversationParts, refusals: WarnLimiter) {
    this.#socket = socket;
    this.#parts = parts;
    this.#refusals = refusals;
    this.#caller = {
      line: new Line(socket, parts.setTimer),
      remoteAddress: request.socket.remoteAddress,
      bearer: bearerOf(request.headers.authorization),
    };
    const withinMs = parts.authenticateWithinMs ?? AUTHENTICATE_WITHIN_MS;
    this.#cancelDeadline = parts.setTimer(() => {
      this.#refuse({ code: 'UNAUTHORIZED', message: `say who you are within ${withinMs} ms` });
    }, withinMs);
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('error', (error) =>
      parts.logger.debug({ err: error, remote: this.#caller.remoteAddress }, 'connection failed'),
    );
    socket.once('close', (code, reason) => this.#closed(code, String(reason)));
  }

  #received(data: RawData, isBinary: boolean): void {
    this.#caller.line.heard();
    if (this.#closing) return;
    const isStranger = this.#party === undefined && this.#parts.access.isStranger(this.#caller.bearer);
    const problem = problemOf(data as Buffer, isBinary, isStranger);
    if (problem !== undefined) {
      this.#bad(problem);
      return;
    }
    this.#frames.push((data as Buffer).toString());
    if (this.#frames.length === MAX_WAITING_FRAMES) this.#socket.pause();
    if (!this.#handling) void this.#handleAll();
  }

  /** Handles the waiting frames one after the other, and then the end of the connection, should it have come. */
  async #handleAll(): Promise<void> {
    this.#handling = true;
    for (let text = this.#frames.shift(); text !== undefined; text = this.#frames.shift()) {
      if (this.#frames.length === MAX_WAITING_FRAMES - 1) this.#socket.resume();
      if (this.#closing) continue;
      const parsed = parseObject(text);
      if (!parsed.ok) this.#bad(parsed.error);
      else await this.#frame(parsed.message);
    }
    this.#handling = false;
    if (this.#end !== undefined) await this.#farewell(this.#end);
  }

  async #frame(keys: Keys): Promise<void> {
    try {
      const party = this.#party ?? this.#begin(keys);
      const result = await party?.frame(keys);
      if (result !== undefined && !result.ok) this.#bad(result.error, keys.REQ);
    } catch (error) {
      this.#failed(error, keys);
    }
  }

  /** Lets the caller in by its first message, or not. */
  #begin(keys: Keys): Party | undefined {
    const conversation = conversationOf(keys);
    if (conversation === undefined) {
      this.#bad({
        code: 'UNKNOWN_MESSAGE',
        message:
          'the first message must be that of a worker (WORKER), a peer (SERVER or TASK) or a client (CLIENT)',
      });
      return undefined;
    }
    const token = this.#caller.bearer ?? (typeof keys.TOKEN === 'string' ? keys.TOKEN : undefined);
    const begun = this.#parts.begin(conversation, keys, this.#caller, token);
    if ('code' in begun) this.#refuse(begun);
    else if ('ok' in begun) {
      if (!begun.ok) this.#bad(begun.error, keys.REQ);
    } else {
      this.#cancelDeadline();
      this.#party = begun;
      return begun;
    }
    return undefined;
  }

  /** A defect of ours, not of the caller: it is logged, told, and the process lives. */
  #failed(error: unknown, keys: Keys): void {
    this.#parts.logger.error({ err: error }, 'a request failed unexpectedly');
    this.#caller.line.send(
      nackOf(
        { code: 'INTERNAL', message: 'the server failed on this request, see its log', retry: true },
        keys.REQ,
      ),
    );
  }

  #bad(error: { code: string; message: string; field?: string }, req?: unknown): void {
    this.#badFrames++;
    this.#party?.misunderstood?.();
    this.#caller.line.send(nackOf(error, req));
    if (this.#badFrames < MAX_BAD_FRAMES) return;
    this.#parts.logger.warn(
      { remote: this.#caller.remoteAddress, code: error.code },
      'connection closed after too many malformed frames',
    );
    this.#close(POLICY_VIOLATION, `${MAX_BAD_FRAMES} malformed frames`);
  }

  #refuse(refusal: Refusal): void {
    const { code, message } = refusal;
    const remote = this.#caller.remoteAddress;
    this.#refusals.warn(`${remote} ${message}`, { remote, code, said: message }, 'connection refused');
    this.#caller.line.send(nackOf(refusal));
    this.#close(UNAUTHORIZED, refusal.code);
  }

  #close(code: number, reason: string): void {
    this.#closing = true;
    this.#cancelDeadline();
    this.#caller.line.close(code, reason);
  }

  #closed(code: number, reason: string): void {
    this.#cancelDeadline();
    this.#end = { code, reason };
    if (!this.#handling) void this.#farewell(this.#end);
  }

  async #farewell({ code, reason }: { code: number; reason: string }): Promise<void> {
    this.#end = undefined;
    try {
      await this.#party?.closed(code, reason);
    } catch (error) {
      this.#parts.logger.error({ err: error }, 'a connection could not be cleaned up');
    }
  }
}

function problemOf(data: Buffer, isBinary: boolean, isStranger: boolean): Refusal | undefined {
  if (isBinary) {
    return { code: 'BINARY_FRAME', message: 'binary frames are not understood; send JSON as text' };
  }
  const allowed = isStranger ? MAX_STRANGER_FRAME_BYTES : MAX_FRAME_BYTES;
  if (data.length <= allowed) return undefined;
  const advice = isStranger
    ? 'show your token first, in the Authorization header or in a small first message'
    : 'send recipients in smaller chunks';
  return {
    code: 'FRAME_TOO_LARGE',
    message: `the frame has ${data.length} bytes, allowed are ${allowed}; ${advice}`,
  };
}

import type {
  CommandRelease,
  Endpoint,
  Load,
  PeerInfo,
  PeerMessage,
  ReleaseReply,
  ServerAlive,
  WorkerRequest,
  WorkerResponse,
} from '../../protocol/index.ts';
import type { LinkDirection } from './membership.ts';
import type { Clock, PeerConnection } from './ports.ts';
import type { Run } from './run.ts';

/** Codes with which this server closes a link; 4000–4999 are free for applications (RFC 6455 §7.4.2). */
export const CLOSE = {
  goingAway: 1001,
  policy: 1008,
  tryLater: 1013,
  duplicate: 4001,
  self: 4002,
  silent: 4003,
  identityInUse: 4004,
} as const;

/** What a heartbeat or its answer says of its sender, beyond that it is alive. */
export interface Presence {
  readonly SERVER_UUID?: string;
  readonly INSTANCE?: string;
  readonly UP_S?: number;
  readonly ADDRESS?: Endpoint;
  readonly LOAD?: Load;
  readonly PEERS?: readonly PeerInfo[];
  readonly BORROWED?: readonly { readonly WORKER_UUID: string; readonly HOME: string }[];
}

/** What this server says of itself; in every heartbeat and answer. */
export type OwnPresence = Omit<ServerAlive, 'SERVER' | 'TASK' | 'SERVER_UUID'> & {
  readonly SERVER_UUID: string;
};

export interface LinkHandler {
  /** What this server says of itself on this link. */
  ownPresence(link: PeerLink): OwnPresence;
  /** A heartbeat or an answer. @returns false when the link was closed over it. */
  presence(link: PeerLink, presence: Presence): boolean;
  workerRequest(link: PeerLink, message: WorkerRequest): void;
  workerResponse(link: PeerLink, message: WorkerResponse): void;
  release(link: PeerLink, message: CommandRelease): void;
  releaseReply(link: PeerLink, message: ReleaseReply): void;
  closed(link: PeerLink, code: number, reason: string): void;
}

/** `alive`: SERVER "ALIVE" with REQUEST and RECIEVE. `heartbeat`: TASK "HEARTBEAT". */
type Dialect = 'alive' | 'heartbeat';

export interface LinkOptions {
  readonly connection: PeerConnection;
  readonly direction: LinkDirection;
  /** Where it was dialled. */
  readonly endpoint?: Endpoint;
  readonly clock: Clock;
  readonly handler: LinkHandler;
}

/**
 * One conversation with another server. It answers every heartbeat in the dialect in which it was asked. It sends
 * heartbeats of its own in the dialect that the other was heard to speak; while nothing has been heard, in both by turns.
 * An accepted link whose other end never says who it is gets answers and nothing else.
 */
export class PeerLink {
  readonly direction: LinkDirection;
  readonly endpoint: Endpoint | undefined;
  readonly remoteAddress: string | undefined;
  readonly openedAt: number;
  readonly #connection: PeerConnection;
  readonly #clock: Clock;
  readonly #handler: LinkHandler;
  #uuid: string | undefined;
  #run: Run | undefined;
  #dialect: Dialect | undefined;
  #turn: Dialect = 'heartbeat';
  #heardAt: number;
  #beatAt = Number.NEGATIVE_INFINITY;
  /** When the heartbeat was sent whose answer is awaited. */
  #askedAt: number | undefined;
  #latencyMs: number | undefined;
  #isOpen = true;

  constructor(options: LinkOptions) {
    this.direction = options.direction;
    this.endpoint = options.endpoint;
    this.remoteAddress = options.connection.remoteAddress;
    this.#connection = options.connection;
    this.#clock = options.clock;
    this.#handler = options.handler;
    this.openedAt = this.#clock.monotonic();
    this.#heardAt = this.openedAt;
    this.#connection.onMessage((message) => this.receive(message));
    this.#connection.onClose((code, reason) => this.#closed(code, reason));
  }

  /** SERVER_UUID of the other end, once it said so. */
  get uuid(): string | undefined {
    return this.#uuid;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  /** The run of the server at the other end, when it said so. */
  get run(): Run | undefined {
    return this.#run;
  }

  identify(uuid: string, run?: Run): void {
    this.#uuid = uuid;
    this.#run = run;
  }

  /** Time during which this server could not listen does not count as silence. */
  forgive(ms: number): void {
    this.#heardAt = Math.min(this.#clock.monotonic(), this.#heardAt + ms);
  }

  /** Sends a heartbeat when the last one is `everyMs` old. */
  beat(everyMs: number): void {
    const now = this.#clock.monotonic();
    if (!this.#isOpen || now - this.#beatAt < everyMs) return;
    if (this.direction === 'accepted' && this.#uuid === undefined) return;
    this.#beatAt = now;
    this.#askedAt ??= now;
    this.#turn = this.#turn === 'alive' ? 'heartbeat' : 'alive';
    const presence = this.#handler.ownPresence(this);
    if ((this.#dialect ?? this.#turn) === 'alive') {
      this.send({ SERVER: 'ALIVE', TASK: 'REQUEST', ...presence });
    } else {
      this.send({ TASK: 'HEARTBEAT', ...presence });
    }
  }

  send(message: PeerMessage): void {
    if (this.#isOpen) this.#connection.send(message);
  }

  close(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#connection.close(code, reason);
    this.#closed(code, reason);
  }

  receive(message: PeerMessage): void {
    if (!this.#isOpen) return;
    this.#heardAt = this.#clock.monotonic();
    if ('SERVER' in message) {
      this.#dialect = 'alive';
      if (message.TASK === 'REQUEST') this.#asked(message, 'alive');
      else this.#answered(message);
      return;
    }
    switch (message.TASK) {
      case 'HEARTBEAT':
        this.#dialect ??= 'heartbeat';
        if ('RESPONSE' in message) this.#answered(message);
        else this.#asked(message, 'heartbeat');
        return;
      case 'WORKER_REQUEST':
        this.#handler.workerRequest(this, message);
        return;
      case 'WORKER_RESPONSE':
        this.#handler.workerResponse(this, message);
        return;
      case 'COMMAND_RELEASE':
        if ('RESPONSE' in message) this.#handler.releaseReply(this, message);
        else this.#handler.release(this, message);
        return;
      default:
        message satisfies never;
    }
  }

  #asked(presence: Presence, dialect: Dialect): void {
    if (this.#handler.presence(this, presence)) this.introduce(dialect);
  }

  /** Says who this server is, as in the answer to a heartbeat. */
  introduce(dialect = this.#dialect): void {
    const own = this.#handler.ownPresence(this);
    if (dialect === 'heartbeat') this.send({ TASK: 'HEARTBEAT', RESPONSE: 'ALIVE', ...own });
    else this.send({ SERVER: 'ALIVE', TASK: 'RECIEVE', ...own });
  }

  #answered(presence: Presence): void {
    if (this.#askedAt !== undefined) {
      this.#latencyMs = Math.round((this.#clock.monotonic() - this.#askedAt) * 10) / 10;
      this.#askedAt = undefined;
    }
    this.#handler.presence(this, presence);
  }

  #closed(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#handler.closed(this, code, reason);
  }
}

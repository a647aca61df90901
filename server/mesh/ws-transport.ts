import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import WebSocket, { type ClientOptions } from 'ws';
import { WarnLimiter } from '../../logging/index.ts';
import {
  type Endpoint,
  endpointUrl,
  MAX_BAD_FRAMES,
  MAX_FRAME_BYTES,
  nackOf,
  type PeerMessage,
  parseFromPeer,
  parseObject,
} from '../../protocol/index.ts';
import { CLOSE } from './peer-link.ts';
import {
  type Clock,
  type MeshLogger,
  type PeerConnection,
  type PeerTransport,
  systemClock,
} from './ports.ts';

/** Time that a connection may take to open, ms. */
const OPEN_WITHIN_MS = 5_000;

/** A peer that refuses us is called again and again: one line about it in this time, ms. */
const ONE_REFUSAL_PER_MS = 60_000;

/** Unsent bytes after which a peer that does not read is cut off. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

/** Time from asking for a close until the socket is destroyed, ms: a dead peer does not answer. */
const CLOSE_WITHIN_MS = 1_000;

/** A PeerConnection over a WebSocket, dialled or accepted. Malformed frames are answered with a NACK, repeated ones end it. */
export class WebSocketConnection implements PeerConnection {
  readonly remoteAddress: string | undefined;
  readonly #socket: WebSocket;
  readonly #logger: MeshLogger;
  readonly #refusals: WarnLimiter | undefined;
  readonly #clock: Pick<Clock, 'setTimer'>;
  #onMessage: (message: PeerMessage) => void = () => undefined;
  readonly #peer: string | undefined;
  #badFrames = 0;

  /**
   * @param peer what to call it in the log; default: its address
   * @param refusals bounds the lines about refusals, over all the connections to a peer
   */
  constructor(
    socket: WebSocket,
    remoteAddress: string | undefined,
    logger: MeshLogger,
    peer: string | undefined = remoteAddress,
    refusals?: WarnLimiter,
    clock: Pick<Clock, 'setTimer'> = systemClock,
  ) {
    this.#clock = clock;
    this.#refusals = refusals;
    this.#peer = peer;
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    this.#logger = logger;
    socket.on('message', (data, isBinary) => this.#receive(isBinary ? '' : data.toString()));
    socket.on('error', (error) => logger.debug({ peer, error: error.message }, 'link to a peer failed'));
  }

  send(message: PeerMessage): void {
    this.#write(message);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    const cancel = this.#clock.setTimer(() => this.#socket.terminate(), CLOSE_WITHIN_MS);
    this.#socket.once('close', cancel);
  }

  onMessage(listener: (message: PeerMessage) => void): void {
    this.#onMessage = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#socket.on('close', (code, reason) => listener(code, reason.toString()));
  }

  #receive(text: string): void {
    const keys = parseObject(text);
    if (keys.ok && keys.message.STATUS === 'NACK' && 'ERROR' in keys.message) {
      // Never answered: two servers would refuse each other's refusals for ever.
      this.#refused(keys.message.ERROR);
      return;
    }
    const parsed = keys.ok ? parseFromPeer(keys.message) : keys;
    if (parsed.ok) {
      this.#onMessage(parsed.message);
      return;
    }
    this.#badFrames += 1;
    this.#write(nackOf(parsed.error));
    if (this.#badFrames >= MAX_BAD_FRAMES) this.close(CLOSE.policy, 'too many malformed frames');
  }

  #refused(error: unknown): void {
    const fields = { peer: this.#peer, error };
    const message = 'a peer refused a message';
    if (this.#refusals === undefined) this.#logger.warn(fields, message);
    else this.#refusals.warn(`${this.#peer} ${JSON.stringify(error)}`, fields, message);
  }

  #write(message: object): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) this.#socket.terminate();
    else this.#socket.send(JSON.stringify(message));
  }
}

export interface WebSocketTransportOptions {
  /** Shown as `Authorization: Bearer`. */
  readonly token?: string;
  /** File with the certificates (PEM) to trust beside those that Node.js trusts. */
  readonly tlsCaFile?: string;
  readonly logger: MeshLogger;
  /** Replaces the sockets of the network. */
  readonly openSocket?: (url: string, options: ClientOptions) => WebSocket;
  readonly clock?: Pick<Clock, 'monotonic' | 'setTimer'>;
}

/** Dials over WebSocket. @throws from the factory when the CA file cannot be read. */
export function webSocketTransport(options: WebSocketTransportOptions): PeerTransport {
  const ca =
    options.tlsCaFile === undefined
      ? undefined
      : [...getCACertificates('default'), readFileSync(options.tlsCaFile, 'utf8')];
  const { clock = systemClock } = options;
  const refusals = new WarnLimiter(options.logger, () => clock.monotonic(), ONE_REFUSAL_PER_MS);
  return {
    dial: (endpoint) => dial(endpoint, options, refusals, ca),
  };
}

function dial(
  endpoint: Endpoint,
  options: WebSocketTransportOptions,
  refusals: WarnLimiter,
  ca?: string[],
): Promise<PeerConnection> {
  return new Promise((resolve, reject) => {
    const settings: ClientOptions = {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handshakeTimeout: OPEN_WITHIN_MS,
      followRedirects: false,
      ...(options.token === undefined ? {} : { headers: { authorization: `Bearer ${options.token}` } }),
      ...(ca === undefined ? {} : { ca }),
    };
    const url = endpointUrl(endpoint);
    const socket = options.openSocket?.(url, settings) ?? new WebSocket(url, settings);
    const failed = (error: Error) => reject(error);
    socket.once('error', failed);
    socket.once('open', () => {
      socket.off('error', failed);
      resolve(new WebSocketConnection(socket, endpoint.IP, options.logger, url, refusals, options.clock));
    });
  });
}

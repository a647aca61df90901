import { type Endpoint, endpointUrl } from '../../protocol/index.ts';
import type { AddressBook } from './address-book.ts';
import type { Clock, MeshLogger, PeerConnection, PeerTransport } from './ports.ts';

export interface DiallerOptions {
  readonly book: AddressBook;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly logger: MeshLogger;
  /** A connection is open: send the first heartbeat. */
  readonly opened: (connection: PeerConnection, endpoint: Endpoint) => void;
}

/** Dials the addresses that are due, one attempt each at a time. It says once that a peer cannot be reached. */
export class Dialler {
  readonly #options: DiallerOptions;
  #isStopped = false;

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  dialDue(isLinked: (uuid: string) => boolean): void {
    if (this.#isStopped) return;
    const now = this.#options.clock.monotonic();
    for (const endpoint of this.#options.book.due(now, isLinked)) void this.#dial(endpoint);
  }

  /** Attempts that are under way end by themselves; what they open is closed at once. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The peer there could not be reached, or did not behave like one. */
  failed(endpoint: Endpoint, why: string): void {
    const { book, clock, logger } = this.#options;
    const about = { peer: endpointUrl(endpoint), error: why };
    if (book.failed(endpoint, clock.monotonic())) logger.warn(about, 'peer cannot be reached; trying on');
    else logger.debug(about, 'peer still cannot be reached');
  }

  async #dial(endpoint: Endpoint): Promise<void> {
    const { transport, book, opened } = this.#options;
    let connection: PeerConnection;
    try {
      connection = await transport.dial(endpoint);
    } catch (error) {
      if (!this.#isStopped) this.failed(endpoint, messageOf(error));
      return;
    }
    if (this.#isStopped) {
      connection.close(1001, 'stopping');
      return;
    }
    book.connected(endpoint);
    opened(connection, endpoint);
  }
}

/** `connect ECONNREFUSED …` of a host with several addresses comes as an AggregateError without a message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

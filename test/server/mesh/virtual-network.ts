import type { Endpoint, PeerMessage } from '../../../protocol/index.ts';
import type { Clock, PeerConnection, PeerTransport } from '../../../server/mesh/ports.ts';
import type { Network } from './world.ts';

const LATENCY_MS = 2;

type Accept = (connection: PeerConnection, first: PeerMessage) => void;

/** Connections in memory, with latency, that can be cut. Messages pass through JSON. */
export class VirtualNetwork implements Network {
  readonly #clock: Clock;
  readonly #listening = new Map<number, Accept>();
  readonly #cables = new Set<Cable>();
  #port = 9_000;
  /** Connections that were asked for. */
  dials = 0;
  /** Pairs of ports between which nothing passes, without anybody being told. */
  readonly #cut = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async freeAddress(): Promise<Endpoint> {
    this.#port += 1;
    return { IP: '127.0.0.1', PORT: this.#port };
  }

  async listen(address: Endpoint, accept: Accept): Promise<() => Promise<void>> {
    this.#listening.set(address.PORT, accept);
    return async () => {
      this.#listening.delete(address.PORT);
      for (const cable of [...this.#cables]) if (cable.ports.includes(address.PORT)) cable.close(1006, '');
    };
  }

  transport(_token: string | undefined, from: Endpoint): PeerTransport {
    return {
      dial: (endpoint) =>
        new Promise((resolve, reject) => {
          this.dials += 1;
          this.#clock.setTimer(() => {
            const accept = this.#listening.get(endpoint.PORT);
            if (accept === undefined || this.isCut(from.PORT, endpoint.PORT)) {
              reject(new Error(`connect ECONNREFUSED ${endpoint.IP}:${endpoint.PORT}`));
              return;
            }
            const cable = new Cable(this.#clock, this, [from.PORT, endpoint.PORT], accept, () =>
              this.#cables.delete(cable),
            );
            this.#cables.add(cable);
            resolve(cable.end(0));
          }, LATENCY_MS);
        }),
    };
  }

  cut(a: Endpoint, b: Endpoint): void {
    this.#cut.add(pair(a.PORT, b.PORT));
  }

  /** Breaks the open connections; new ones may be made. */
  drop(): void {
    for (const cable of [...this.#cables]) cable.close(1006, '');
  }

  mend(): void {
    this.#cut.clear();
  }

  isCut(a: number, b: number): boolean {
    return this.#cut.has(pair(a, b));
  }

  /** Open connections between two servers. */
  cablesBetween(a: Endpoint, b: Endpoint): number {
    return [...this.#cables].filter((cable) => pair(...cable.ports) === pair(a.PORT, b.PORT)).length;
  }
}

function pair(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}

class Cable {
  readonly ports: readonly [number, number];
  readonly #clock: Clock;
  readonly #network: VirtualNetwork;
  readonly #accept: Accept;
  readonly #gone: () => void;
  readonly #onMessage: [((m: PeerMessage) => void)?, ((m: PeerMessage) => void)?] = [];
  readonly #onClose: [((code: number, reason: string) => void)?, ((code: number, reason: string) => void)?] =
    [];
  #isOpen = true;

  constructor(
    clock: Clock,
    network: VirtualNetwork,
    ports: [number, number],
    accept: Accept,
    gone: () => void,
  ) {
    this.#clock = clock;
    this.#network = network;
    this.ports = ports;
    this.#accept = accept;
    this.#gone = gone;
  }

  end(side: 0 | 1): PeerConnection {
    return {
      remoteAddress: '127.0.0.1',
      send: (message) => this.#send(side, JSON.stringify(message)),
      close: (code, reason) => this.close(code, reason),
      onMessage: (listener) => {
        this.#onMessage[side] = listener;
      },
      onClose: (listener) => {
        this.#onClose[side] = listener;
      },
    };
  }

  close(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#gone();
    this.#clock.setTimer(() => {
      for (const listener of this.#onClose) listener?.(code, reason);
    }, LATENCY_MS);
  }

  #send(side: 0 | 1, text: string): void {
    // What was sent before the close arrives before it.
    if (!this.#isOpen) return;
    this.#clock.setTimer(() => {
      if (this.#network.isCut(...this.ports)) return;
      const message = JSON.parse(text) as PeerMessage;
      if (side === 0 && this.#onMessage[1] === undefined) this.#accept(this.end(1), message);
      else this.#onMessage[side === 0 ? 1 : 0]?.(message);
    }, LATENCY_MS);
  }
}

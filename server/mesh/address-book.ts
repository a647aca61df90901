import { type Endpoint, endpointUrl } from '../../protocol/index.ts';
import { FORGET_AFTER_MS } from './membership.ts';

/** First and longest wait between two attempts to reach an address, ms; doubled each time, with jitter. */
export const REDIAL_MS = 250;
export const MAX_REDIAL_MS = 10_000;

/** Of two servers that hear of each other, the one with the higher SERVER_UUID waits this long for the other's call, ms. */
export const WAIT_FOR_CALL_MS = 2_000;

interface Entry {
  readonly endpoint: Endpoint;
  /** Given by the operator: never forgotten. */
  readonly configured: boolean;
  uuid: string | undefined;
  state: 'waiting' | 'dialling' | 'connected' | 'self';
  failures: number;
  notBefore: number;
  /** When it was last learnt or reached. */
  freshAt: number;
}

export interface AddressBookSettings {
  /** Own SERVER_UUID and address. */
  readonly self: string;
  readonly address: Endpoint;
  readonly maxAddresses: number;
  /** Chance, from [0, 1). */
  readonly random: () => number;
}

/**
 * Where servers may be reached, and when to try. An address is
 * - waiting: it is dialled when its back-off is over, unless its server is linked already by another way;
 * - dialling: one attempt at a time;
 * - connected: until that connection closes;
 * - self: it turned out to be this server. It is never dialled again.
 * Addresses learnt from others are forgotten when they have not been reachable for long; configured ones never.
 */
export class AddressBook {
  readonly #settings: AddressBookSettings;
  readonly #entries = new Map<string, Entry>();

  constructor(settings: AddressBookSettings) {
    this.#settings = settings;
    this.#add(settings.address, { configured: true, uuid: settings.self, state: 'self', now: 0 });
  }

  configure(endpoints: readonly Endpoint[], now: number): void {
    for (const endpoint of endpoints) {
      if (!this.#entries.has(endpointUrl(endpoint))) this.#add(endpoint, { configured: true, now });
    }
  }

  /** Somebody says that a server can be reached there. */
  learn(endpoint: Endpoint, uuid: string | undefined, now: number): void {
    if (uuid === this.#settings.self) return;
    const known = this.#entries.get(endpointUrl(endpoint));
    if (known === undefined) {
      if (this.#entries.size >= this.#settings.maxAddresses) return;
      const wait = uuid !== undefined && uuid < this.#settings.self ? WAIT_FOR_CALL_MS : 0;
      this.#add(endpoint, { configured: false, uuid, now, notBefore: now + wait });
    } else if (known.state !== 'self') {
      known.freshAt = now;
      known.uuid = uuid ?? known.uuid;
    }
  }

  /** Addresses to dial now; each counts as dialling from here on. `isLinked`: whether that server has a link. */
  due(now: number, isLinked: (uuid: string) => boolean): readonly Endpoint[] {
    const due: Endpoint[] = [];
    const busy = new Set<string>();
    for (const entry of this.#entries.values()) {
      if (entry.state === 'dialling' && entry.uuid !== undefined) busy.add(entry.uuid);
    }
    for (const [url, entry] of this.#entries) {
      if (entry.state !== 'waiting') continue;
      if (!entry.configured && now - entry.freshAt >= FORGET_AFTER_MS) this.#entries.delete(url);
      else if (
        now >= entry.notBefore &&
        !(entry.uuid !== undefined && (busy.has(entry.uuid) || isLinked(entry.uuid)))
      ) {
        entry.state = 'dialling';
        if (entry.uuid !== undefined) busy.add(entry.uuid);
        due.push(entry.endpoint);
      }
    }
    return due;
  }

  /** @returns true for the first failure in a row: the one worth saying. */
  failed(endpoint: Endpoint, now: number): boolean {
    const entry = this.#entries.get(endpointUrl(endpoint));
    if (entry === undefined) return false;
    const wait = Math.min(MAX_REDIAL_MS, REDIAL_MS * 2 ** Math.min(entry.failures, 20));
    entry.state = 'waiting';
    entry.failures += 1;
    entry.notBefore = now + wait * (0.5 + this.#settings.random() / 2);
    return entry.failures === 1;
  }

  /** A connection to it is open; whether somebody speaks there is not known yet. */
  connected(endpoint: Endpoint): void {
    const entry = this.#entries.get(endpointUrl(endpoint));
    if (entry !== undefined) entry.state = 'connected';
  }

  /** The server there said who it is. @returns true when it had been unreachable. */
  identified(endpoint: Endpoint, uuid: string | undefined, now: number): boolean {
    const entry = this.#entries.get(endpointUrl(endpoint));
    if (entry === undefined) return false;
    const wasUnreachable = entry.failures > 0;
    entry.uuid = uuid;
    entry.failures = 0;
    entry.freshAt = now;
    return wasUnreachable;
  }

  isSelf(endpoint: Endpoint): void {
    const entry = this.#entries.get(endpointUrl(endpoint));
    if (entry !== undefined) entry.state = 'self';
  }

  /** The connection to it closed, after it had worked. */
  closed(endpoint: Endpoint, now: number): void {
    const entry = this.#entries.get(endpointUrl(endpoint));
    if (entry === undefined || entry.state === 'self') return;
    entry.state = 'waiting';
    entry.notBefore = now + REDIAL_MS * (0.5 + this.#settings.random() / 2);
  }

  #add(
    endpoint: Endpoint,
    about: {
      configured: boolean;
      uuid?: string | undefined;
      state?: 'self';
      now: number;
      notBefore?: number;
    },
  ): void {
    this.#entries.set(endpointUrl(endpoint), {
      endpoint,
      configured: about.configured,
      uuid: about.uuid,
      state: about.state ?? 'waiting',
      failures: 0,
      notBefore: about.notBefore ?? about.now,
      freshAt: about.now,
    });
  }
}

import { Client, type ClientConfig } from 'pg';
import type { StoreChange } from '../../owners/store.ts';
import { ended } from './ended.ts';

/** Between two attempts to listen again, ms. */
const RETRY_MS = 1_000;

/** What is told over the channel: the kind, the SERVER_UUID of who tells, and what it is about. */
type Heard = { readonly kind: 'answer'; readonly id: string } | StoreChange;

/**
 * Hears of changes that others made, over a connection of its own. Everything heard is a hint: while the connection is lost,
 * nothing is, and those who wait look for themselves now and then.
 */
export class Listener {
  readonly #config: ClientConfig;
  readonly #self: () => string | undefined;
  readonly #listeners = new Set<(change: StoreChange) => void>();
  readonly #answers = new Set<(id: string) => void>();
  #client: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param self SERVER_UUID of this server, whose own changes are no news */
  constructor(config: ClientConfig, self: () => string | undefined) {
    this.#config = config;
    this.#self = self;
  }

  start(): void {
    void this.#listen();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await ended(client.end());
  }

  onChange(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back when a request may have been answered. */
  onAnswer(listener: (id: string) => void): () => void {
    this.#answers.add(listener);
    return () => this.#answers.delete(listener);
  }

  async #listen(): Promise<void> {
    const client = new Client(this.#config);
    this.#client = client;
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      void client.end().catch(() => {});
      if (this.#stopped) return;
      this.#retry = setTimeout(() => void this.#listen(), RETRY_MS);
      this.#retry.unref();
    };
    client.on('error', again);
    client.on('end', again);
    client.on('notification', ({ payload = '' }) => this.#hear(payload));
    try {
      await client.connect();
      await client.query('LISTEN mutirao');
    } catch {
      again();
    }
  }

  #hear(payload: string): void {
    const heard = understand(payload, this.#self());
    if (heard === undefined) return;
    if (heard.kind === 'answer') for (const tell of this.#answers) tell(heard.id);
    else for (const tell of this.#listeners) tell(heard);
  }
}

function understand(payload: string, self: string | undefined): Heard | undefined {
  const [kind, server, subject = ''] = payload.split(' ');
  switch (kind) {
    case 'batch':
      return server === self ? undefined : { kind, batch: subject };
    case 'servers':
      return server === self ? undefined : { kind };
    case 'request':
      // Told to the owner.
      return server === self ? { kind } : undefined;
    case 'answer':
      return { kind, id: subject };
    default:
      return undefined;
  }
}

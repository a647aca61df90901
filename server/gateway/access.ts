import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { Conversation } from '../../protocol/index.ts';

/** The token that each kind of caller must show; absent: none is asked for. */
export type Tokens = Readonly<Partial<Record<Conversation, string>>>;

/** Decides who may speak, in constant time whatever the token. */
export class Access {
  readonly #digests = new Map<Conversation, Buffer>();

  constructor(tokens: Tokens) {
    for (const [conversation, token] of Object.entries(tokens)) {
      this.#digests.set(conversation as Conversation, digest(token));
    }
  }

  /** Whether this conversation asks for a token at all. */
  guards(conversation: Conversation): boolean {
    return this.#digests.has(conversation);
  }

  /** Whether tokens are asked for and this is none of them. */
  isStranger(token: string | undefined): boolean {
    if (this.#digests.size === 0) return false;
    return ![...this.#digests.keys()].some((conversation) => this.allows(conversation, token));
  }

  allows(conversation: Conversation, token: string | undefined): boolean {
    const expected = this.#digests.get(conversation);
    if (expected === undefined) return true;
    return timingSafeEqual(expected, digest(token ?? '')) && token !== undefined;
  }
}

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();

/** The token of an `Authorization: Bearer` header (RFC 6750 §2.1). */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
}

/**
 * Whether a browser's page may open a WebSocket here: only one that this server delivered itself. Programs send no Origin. Without
 * this, any web site could speak to a server on its visitor's loopback (RFC 6455 §10.2). A server that asks for no token also
 * looks whether it was called by an address or by the `name` it goes by: a site can make its own name point to us.
 */
export function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  own: { readonly asksForToken: boolean; readonly name: string },
): boolean {
  if (origin === undefined) return true;
  if (!URL.canParse(origin)) return false;
  const from = new URL(origin);
  if (from.host !== host) return false;
  const name = from.hostname.replace(/^\[(.*)\]$/, '$1');
  return own.asksForToken || isIP(name) !== 0 || name === 'localhost' || name === own.name.toLowerCase();
}

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { Endpoint } from '../../protocol/index.ts';

/** What a ticket says: this worker of this home may work for this borrower. Times in ms since the epoch. */
export interface TicketClaims {
  readonly loan: string;
  readonly worker: string;
  /** SERVER_UUID of the home, and where it can be reached. */
  readonly home: string;
  readonly homeAddress: Endpoint;
  /** SERVER_UUID of the borrower. */
  readonly borrower: string;
  readonly issuedAt: number;
  /** The worker must have appeared by then. */
  readonly connectBy: number;
  readonly lendUntil: number;
}

export type TicketRefusal =
  | 'TICKET_FORGED'
  | 'TICKET_EXPIRED'
  | 'TICKET_FOR_ANOTHER_WORKER'
  | 'TICKET_FOR_ANOTHER_SERVER'
  | 'TICKET_OF_ENDED_LOAN';

/** By how much the clocks of two servers may differ before tickets are refused that should not be, ms. */
export const CLOCK_SKEW_MS = 5_000;

const VERSION = 'm1';
const KEY_BYTES = 32;

const Payload = z.object({
  l: z.string(),
  w: z.string(),
  h: z.string(),
  a: Endpoint,
  b: z.string(),
  i: z.number(),
  c: z.number(),
  u: z.number(),
});

/**
 * The key that tickets are signed with, derived from the mesh token by HKDF (RFC 5869), so that neither can be learnt
 * from the other. A mesh without a token (loopback only) signs with a key that anyone can derive.
 */
export function ticketKey(meshToken: string | undefined): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', meshToken ?? '', 'mutirao', 'loan ticket, version 1', KEY_BYTES));
}

/** The ticket as text: version, claims and HMAC-SHA256 (RFC 2104) over both, base64url, joined by dots. */
export function signTicket(claims: TicketClaims, key: Uint8Array): string {
  const payload: z.infer<typeof Payload> = {
    l: claims.loan,
    w: claims.worker,
    h: claims.home,
    a: claims.homeAddress,
    b: claims.borrower,
    i: claims.issuedAt,
    c: claims.connectBy,
    u: claims.lendUntil,
  };
  const signed = `${VERSION}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`;
  return `${signed}.${macOf(signed, key).toString('base64url')}`;
}

export interface TicketCheck {
  readonly key: Uint8Array;
  readonly now: number;
  /** Who shows the ticket, and to whom. */
  readonly worker: string;
  readonly server: string;
  /** When this server started: of loans from before that it remembers nothing. */
  readonly startedAt: number;
  /** What this server remembers of the loan. */
  readonly loanState: (loan: string) => 'unknown' | 'active' | 'ended';
}

export type TicketVerdict =
  | { readonly ok: true; readonly claims: TicketClaims }
  | { readonly ok: false; readonly reason: TicketRefusal };

/**
 * Whether a ticket admits. A first appearance must happen before connect-by. A worker whose loan is active may come back
 * until lend-until; so may one whose ticket is older than this server's start, for the server may have known it then.
 */
export function verifyTicket(ticket: string, check: TicketCheck): TicketVerdict {
  const claims = openTicket(ticket, check.key);
  if (claims === undefined) return refuse('TICKET_FORGED');
  if (claims.worker !== check.worker) return refuse('TICKET_FOR_ANOTHER_WORKER');
  if (claims.borrower !== check.server) return refuse('TICKET_FOR_ANOTHER_SERVER');
  const state = check.loanState(claims.loan);
  if (state === 'ended') return refuse('TICKET_OF_ENDED_LOAN');
  const maybeKnown = state === 'active' || claims.issuedAt < check.startedAt;
  const admitsUntil = maybeKnown
    ? claims.lendUntil
    : Math.min(claims.connectBy + CLOCK_SKEW_MS, claims.lendUntil);
  if (check.now >= admitsUntil) return refuse('TICKET_EXPIRED');
  return { ok: true, claims };
}

function openTicket(ticket: string, key: Uint8Array): TicketClaims | undefined {
  const [version, body, mac, ...rest] = ticket.split('.');
  if (version !== VERSION || body === undefined || mac === undefined || rest.length > 0) return undefined;
  const expected = macOf(`${version}.${body}`, key);
  const given = Buffer.from(mac, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const payload = Payload.safeParse(jsonOf(Buffer.from(body, 'base64url').toString()));
  if (!payload.success) return undefined;
  const { l, w, h, a, b, i, c, u } = payload.data;
  return {
    loan: l,
    worker: w,
    home: h,
    homeAddress: a,
    borrower: b,
    issuedAt: i,
    connectBy: c,
    lendUntil: u,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function macOf(text: string, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function refuse(reason: TicketRefusal): TicketVerdict {
  return { ok: false, reason };
}

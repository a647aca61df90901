import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  CLOCK_SKEW_MS,
  signTicket,
  type TicketCheck,
  type TicketClaims,
  ticketKey,
  verifyTicket,
} from '../../../server/mesh/ticket.ts';

const KEY = ticketKey('the mesh token');
const NOW = 1_700_000_000_000;
const CLAIMS: TicketClaims = {
  loan: 'loan-1',
  worker: 'worker-1',
  home: 'home-1',
  homeAddress: { IP: '127.0.0.1', PORT: 8765 },
  borrower: 'borrower-1',
  issuedAt: NOW,
  connectBy: NOW + 10_000,
  lendUntil: NOW + 60_000,
};

function check(more: Partial<TicketCheck> = {}): TicketCheck {
  return {
    key: KEY,
    now: NOW + 100,
    worker: 'worker-1',
    server: 'borrower-1',
    startedAt: NOW - 1_000,
    loanState: () => 'unknown',
    ...more,
  };
}

test('a good ticket admits and says all that it was made of', () => {
  expect(verifyTicket(signTicket(CLAIMS, KEY), check())).toEqual({ ok: true, claims: CLAIMS });
});

test('a ticket is for one worker and one server', () => {
  const ticket = signTicket(CLAIMS, KEY);
  expect(verifyTicket(ticket, check({ worker: 'worker-2' }))).toEqual({
    ok: false,
    reason: 'TICKET_FOR_ANOTHER_WORKER',
  });
  expect(verifyTicket(ticket, check({ server: 'borrower-2' }))).toEqual({
    ok: false,
    reason: 'TICKET_FOR_ANOTHER_SERVER',
  });
});

test('the first appearance must be in time, but for the difference of clocks', () => {
  const ticket = signTicket(CLAIMS, KEY);
  expect(verifyTicket(ticket, check({ now: CLAIMS.connectBy + CLOCK_SKEW_MS - 1 })).ok).toBe(true);
  expect(verifyTicket(ticket, check({ now: CLAIMS.connectBy + CLOCK_SKEW_MS }))).toEqual({
    ok: false,
    reason: 'TICKET_EXPIRED',
  });
});

test('a worker whose loan is active may come back until its end', () => {
  const ticket = signTicket(CLAIMS, KEY);
  const active = { loanState: () => 'active' as const };
  expect(verifyTicket(ticket, check({ ...active, now: CLAIMS.lendUntil - 1 })).ok).toBe(true);
  expect(verifyTicket(ticket, check({ ...active, now: CLAIMS.lendUntil }))).toEqual({
    ok: false,
    reason: 'TICKET_EXPIRED',
  });
});

test('a borrower that restarted takes its borrowed workers in again', () => {
  const restarted = { startedAt: NOW + 20_000, now: NOW + 21_000 };
  expect(verifyTicket(signTicket(CLAIMS, KEY), check(restarted)).ok).toBe(true);
});

test('a ticket of an ended loan is refused', () => {
  const verdict = verifyTicket(signTicket(CLAIMS, KEY), check({ loanState: () => 'ended' }));
  expect(verdict).toEqual({ ok: false, reason: 'TICKET_OF_ENDED_LOAN' });
});

test('the key comes from the mesh token and is not the token', () => {
  expect(ticketKey('a')).not.toEqual(ticketKey('b'));
  expect(verifyTicket(signTicket(CLAIMS, ticketKey('another')), check())).toEqual({
    ok: false,
    reason: 'TICKET_FORGED',
  });
});

test('a ticket fits its place on the wire', () => {
  expect(
    signTicket({ ...CLAIMS, homeAddress: { IP: 'x'.repeat(255), PORT: 65_535, TLS: true } }, KEY).length,
  ).toBeLessThan(4_096);
});

test('no changed character and no other text passes', () => {
  const ticket = signTicket(CLAIMS, KEY);
  // The last character of a base64url text carries unused bits; all others carry the claims or the signature.
  fc.assert(
    fc.property(fc.nat(ticket.length - 2), fc.constantFrom(...'AZaz09-_.'), (at, char) => {
      fc.pre(ticket[at] !== char);
      const changed = ticket.slice(0, at) + char + ticket.slice(at + 1);
      expect(verifyTicket(changed, check())).toEqual({ ok: false, reason: 'TICKET_FORGED' });
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(verifyTicket(text, check()).ok).toBe(false);
    }),
  );
});

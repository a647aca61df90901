import { beforeEach, expect, test } from 'vitest';
import { Guests } from '../../../server/mesh/guests.ts';
import type { TicketClaims } from '../../../server/mesh/ticket.ts';

const CLAIMS: TicketClaims = {
  loan: 'l1',
  worker: 'w',
  home: 'h',
  homeAddress: { IP: '127.0.0.1', PORT: 1 },
  borrower: 'b',
  issuedAt: 0,
  connectBy: 10,
  lendUntil: 1_000,
};

let guests: Guests;

beforeEach(() => {
  guests = new Guests();
  guests.admit(CLAIMS, 0);
});

test('a worker that lost its connection may come back, and is no new guest then', () => {
  expect(guests.left('w', false)).toBeUndefined();
  expect(guests.get('w')?.state).toBe('away');
  expect(guests.loanState('l1', 'w')).toBe('active');
  expect(guests.admit(CLAIMS, 5)).toBe(false);
  expect(guests.get('w')).toMatchObject({ state: 'here', arrivedAt: 0 });
});

test('a worker that was told to go ends its loan by going', () => {
  guests.leaving('w');
  expect(guests.left('w', false)).toMatchObject({ loan: 'l1' });
  expect(guests.loanState('l1', 'w')).toBe('ended');
  expect(guests.size).toBe(0);
});

test('but not while it holds tasks: it may come back with their results', () => {
  guests.leaving('w');
  expect(guests.left('w', true)).toBeUndefined();
  expect(guests.loanState('l1', 'w')).toBe('active');
});

test('a new loan of the same worker ends the old one', () => {
  expect(guests.admit({ ...CLAIMS, loan: 'l2' }, 5)).toBe(true);
  expect(guests.loanState('l1', 'w')).toBe('ended');
  expect(guests.loanState('l2', 'w')).toBe('active');
});

test('who stays away until the end is let go, and ended loans are forgotten with their tickets', () => {
  guests.left('w', false);
  expect(guests.expire(999)).toEqual([]);
  expect(guests.expire(1_000)).toMatchObject([{ worker: 'w' }]);
  guests.expire(1_001);
  expect(guests.loanState('l1', 'w')).toBe('unknown');
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OwnLease } from '../../../server/owners/lease.ts';

const LEASE_MS = 10_000;
const at = (monotonic: number, now = monotonic) => ({ monotonic, now });

test('a lease that was never granted is not held', () => {
  expect(new OwnLease(LEASE_MS).leftMs(at(0))).toBe(0);
});

test('it is held from the moment it was asked for, and given up before the others may take over', () => {
  const lease = new OwnLease(LEASE_MS);
  lease.renewed(at(1_000));
  expect(lease.leftMs(at(1_000))).toBe(9_000);
  expect(lease.leftMs(at(9_999))).toBe(1);
  expect(lease.leftMs(at(10_000))).toBe(0);
});

test('it runs out when one of the clocks says so: the machine slept, or the monotonic clock goes on alone', () => {
  const lease = new OwnLease(LEASE_MS);
  lease.renewed(at(0, 5_000));
  expect(lease.leftMs(at(10, 5_000 + LEASE_MS))).toBe(0);
  expect(lease.leftMs(at(LEASE_MS, 5_000))).toBe(0);
  expect(lease.leftMs(at(10, 5_010))).toBeGreaterThan(0);
});

test('it is never held longer than the store grants it, whatever the moments of asking, granting and looking', () => {
  const ms = fc.integer({ min: 0, max: 30_000 });
  fc.assert(
    fc.property(ms, ms, ms, (asked, answered, looked) => {
      const lease = new OwnLease(LEASE_MS);
      lease.renewed(at(asked));
      // The store counts from some moment after it was asked.
      const grantedUntil = asked + answered + LEASE_MS;
      if (lease.leftMs(at(looked)) > 0) expect(looked).toBeLessThan(grantedUntil);
    }),
  );
});

import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../../server/batches/options.ts';
import { RequestError } from '../../../server/batches/request-error.ts';

const DEFAULTS = {
  retryBase: 300_000,
  retryCap: 4_000_000,
  retryFor: 432_000_000,
  onUnknown: 'RETRY',
  expires: 86_400_000,
} as const;
const NOW = Date.parse('2026-01-01T00:00:00Z');

describe("a batch's options", () => {
  it("are the server's where the batch says nothing", () => {
    expect(resolveOptions({}, DEFAULTS, ['a'], NOW)).toEqual({
      retryBaseMs: 300_000,
      retryCapMs: 4_000_000,
      retryForMs: 432_000_000,
      onUnknown: 'RETRY',
      expiresAt: NOW + 432_000_000,
    });
  });

  it('go before those of the server', () => {
    const options = {
      RETRY_BASE_S: 0.5,
      RETRY_CAP_S: 2,
      RETRY_FOR_S: 3,
      ON_UNKNOWN: 'HOLD',
      RELAYS: ['b'],
    } as const;
    expect(resolveOptions({ ...options, RELAYS: ['b'] }, DEFAULTS, ['a', 'b'], NOW)).toEqual({
      relays: ['b'],
      retryBaseMs: 500,
      retryCapMs: 2_000,
      retryForMs: 3_000,
      onUnknown: 'HOLD',
      expiresAt: NOW + 86_400_000,
    });
  });

  it('may not name a relay that is not there; the error says which are', () => {
    const wrong = () => resolveOptions({ RELAYS: ['c'] }, DEFAULTS, ['a', 'b'], NOW);
    expect(wrong).toThrow(RequestError);
    expect(wrong).toThrow(/"c"; known are a, b/);
    expect(() => resolveOptions({ RELAYS: ['c'] }, DEFAULTS, [], NOW)).toThrow(/none is configured/);
  });

  it('say when the batch expires: in seconds or as a time, or else after the setting, but never before its retries end', () => {
    const expiry = (options: object) => resolveOptions(options, DEFAULTS, [], NOW).expiresAt;
    expect(expiry({ EXPIRES: 90 })).toBe(NOW + 90_000);
    expect(expiry({ EXPIRES: '2026-01-01T02:00:00+01:00' })).toBe(NOW + 3_600_000);
    expect(expiry({ RETRY_FOR_S: 60 })).toBe(NOW + DEFAULTS.expires);
    expect(expiry({})).toBe(NOW + DEFAULTS.retryFor);
    expect(() => expiry({ EXPIRES: '2025-12-31T23:59:59Z' })).toThrow(/which is over/);
  });
});

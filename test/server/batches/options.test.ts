import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../../server/batches/options.ts';
import { RequestError } from '../../../server/batches/request-error.ts';

const DEFAULTS = {
  retryBase: 300_000,
  retryCap: 4_000_000,
  retryFor: 432_000_000,
  onUnknown: 'RETRY',
} as const;

describe("a batch's options", () => {
  it("are the server's where the batch says nothing", () => {
    expect(resolveOptions({}, DEFAULTS, ['a'])).toEqual({
      retryBaseMs: 300_000,
      retryCapMs: 4_000_000,
      retryForMs: 432_000_000,
      onUnknown: 'RETRY',
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
    expect(resolveOptions({ ...options, RELAYS: ['b'] }, DEFAULTS, ['a', 'b'])).toEqual({
      relays: ['b'],
      retryBaseMs: 500,
      retryCapMs: 2_000,
      retryForMs: 3_000,
      onUnknown: 'HOLD',
    });
  });

  it('may not name a relay that is not there; the error says which are', () => {
    const wrong = () => resolveOptions({ RELAYS: ['c'] }, DEFAULTS, ['a', 'b']);
    expect(wrong).toThrow(RequestError);
    expect(wrong).toThrow(/"c"; known are a, b/);
    expect(() => resolveOptions({ RELAYS: ['c'] }, DEFAULTS, [])).toThrow(/none is configured/);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterFault,
  afterSuccess,
  afterTime,
  type BreakerSettings,
  type BreakerState,
  CLOSED,
  opened,
  probeReturned,
  probeSent,
} from '../../../server/relays/breaker.ts';

const SETTINGS: BreakerSettings = { threshold: 3, openMs: 1_000, capMs: 2_500 };
const REASON = 'connect';

const fault = (state: BreakerState, now = 0, probe = false): BreakerState =>
  afterFault(state, { probe, reason: REASON }, now, SETTINGS);

const HALF_OPEN: BreakerState = { kind: 'half-open', times: 1, probing: false, reason: REASON };

describe('a breaker', () => {
  it('opens at the threshold of faults in a row, and not before', () => {
    let state: BreakerState = CLOSED;
    for (let i = 1; i < SETTINGS.threshold; i++) {
      state = fault(state);
      expect(state.kind).toBe('closed');
    }
    expect(fault(state, 50)).toEqual({ kind: 'open', until: 1_050, times: 1, reason: REASON });
  });

  it('opens exactly when the last so many events were faults, whatever came before', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.boolean(), { maxLength: 40 }),
        (threshold, faults) => {
          let state: BreakerState = CLOSED;
          let inRow = 0;
          for (const isFault of faults) {
            state = isFault
              ? afterFault(state, { probe: false, reason: REASON }, 0, { ...SETTINGS, threshold })
              : afterSuccess(state, { probe: false });
            inRow = isFault ? inRow + 1 : 0;
            expect(state.kind).toBe(inRow < threshold ? 'closed' : 'open');
            if (state.kind === 'open') return;
          }
        },
      ),
    );
  });

  it('is half-open when its time has passed, not a moment earlier', () => {
    const open = opened(1, REASON, 0, SETTINGS);
    expect(afterTime(open, 999)).toBe(open);
    expect(afterTime(open, 1_000)).toEqual(HALF_OPEN);
    expect(afterTime(CLOSED, 5_000)).toBe(CLOSED);
  });

  it('closes when the probe gets through', () => {
    expect(afterSuccess(probeSent(HALF_OPEN), { probe: true })).toEqual(CLOSED);
  });

  it('opens again for longer when the probe meets a fault, up to the cap', () => {
    let state: BreakerState = opened(1, REASON, 0, SETTINGS);
    const times: number[] = [];
    let now = 0;
    for (let round = 0; round < 4; round++) {
      if (state.kind !== 'open') throw new Error(`it is ${state.kind}`);
      times.push(state.until - now);
      now = state.until;
      state = fault(probeSent(afterTime(state, now)), now, true);
    }
    expect(times).toEqual([1_000, 2_000, 2_500, 2_500]);
  });

  it('waits for the next probe when the last one came back untried', () => {
    expect(probeReturned(probeSent(HALF_OPEN))).toEqual(HALF_OPEN);
  });

  it('listens to nobody but the probe while it is not closed', () => {
    for (const state of [opened(2, REASON, 0, SETTINGS), HALF_OPEN, probeSent(HALF_OPEN)]) {
      expect(afterSuccess(state, { probe: false })).toBe(state);
      expect(fault(state, 10)).toBe(state);
    }
  });

  it('is open for longer each time in a row, never beyond the cap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), fc.nat(1e9), (times, now) => {
        const [one, next] = [opened(times, '', now, SETTINGS), opened(times + 1, '', now, SETTINGS)];
        if (one.kind !== 'open' || next.kind !== 'open') throw new Error('not open');
        expect(next.until).toBeGreaterThanOrEqual(one.until);
        expect(next.until - now).toBeLessThanOrEqual(SETTINGS.capMs);
      }),
    );
  });
});

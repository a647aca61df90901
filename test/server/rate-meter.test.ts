import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateMeter } from '../../server/rate-meter.ts';

describe('a rate meter', () => {
  it('knows no rate before something has happened', () => {
    expect(new RateMeter().rate(5_000)).toBeUndefined();
  });

  it('tells a steady rate from early on', () => {
    const meter = new RateMeter();
    for (let now = 10_000; now < 20_000; now += 10) {
      meter.add(1, now);
      if (now >= 11_000) expect(meter.rate(now)).toBeGreaterThan(80);
      if (now >= 11_000) expect(meter.rate(now)).toBeLessThan(120);
    }
  });

  it('forgets what is older than two seconds', () => {
    const meter = new RateMeter();
    meter.add(1_000, 1_000);
    expect(meter.rate(1_100)).toBeGreaterThan(1_000);
    expect(meter.rate(4_000)).toBe(0);
    meter.add(10, 1e9);
    expect(meter.rate(1e9)).toBeLessThan(50);
  });

  it('never tells more than happened in its window, nor a negative or endless rate', () => {
    const events = fc.array(fc.record({ count: fc.nat(1_000), after: fc.nat(3_000) }), { maxLength: 50 });
    fc.assert(
      fc.property(fc.nat(1e6), events, (start, list) => {
        const meter = new RateMeter();
        let [now, total] = [start, 0];
        for (const { count, after } of list) {
          now += after;
          total += count;
          meter.add(count, now);
          const rate = meter.rate(now) as number;
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(total * 4);
        }
      }),
    );
  });
});

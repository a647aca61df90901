import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duration, formatDuration, onOff, whole } from '../../config/index.ts';

describe('a length of time', () => {
  const any = duration(0, 1e12);

  it('has a unit, or else is in seconds', () => {
    const examples = {
      '500ms': 500,
      '2s': 2_000,
      '5m': 300_000,
      '12h': 43_200_000,
      '5d': 432_000_000,
      '7': 7_000,
      '1.5s': 1_500,
    };
    for (const [text, ms] of Object.entries(examples)) expect(any.parse(text)).toBe(ms);
    expect(any.parse(0.25)).toBe(250);
  });

  it('is nothing else', () => {
    for (const text of ['', 's', '1 s', '1e3', '-1s', '0x10', 'NaN', 'Infinity', '1s2'])
      expect(any.safeParse(text).success).toBe(false);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, true, null, {}])
      expect(any.safeParse(value).success).toBe(false);
  });

  it('is shown so that it reads as what it was', () => {
    fc.assert(fc.property(fc.nat(1e9), (ms) => any.parse(formatDuration(ms)) === ms));
  });

  it('has bounds, which belong to it', () => {
    const bounded = duration(100, 2_000);
    expect(bounded.parse('100ms')).toBe(100);
    expect(bounded.parse('2s')).toBe(2_000);
    expect(bounded.safeParse('99ms').success).toBe(false);
    expect(bounded.safeParse('2001ms').success).toBe(false);
  });
});

describe('a whole number', () => {
  it('has bounds, which belong to it, and may be text', () => {
    expect(whole(0, 9).parse('9')).toBe(9);
    expect(whole(0, 9).parse(0)).toBe(0);
    expect(whole(-5, 9).parse('-5')).toBe(-5);
    for (const value of ['10', -1, '1.0', '', ' 1', '1e0', null, true])
      expect(whole(0, 9).safeParse(value).success).toBe(false);
  });
});

describe('a switch', () => {
  it('is on or off', () => {
    for (const value of [true, 'true', '1']) expect(onOff.parse(value)).toBe(true);
    for (const value of [false, 'false', '0']) expect(onOff.parse(value)).toBe(false);
    for (const value of ['yes', '', 1, null]) expect(onOff.safeParse(value).success).toBe(false);
  });
});

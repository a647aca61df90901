import { describe, expect, it } from 'vitest';
import { optionsOf } from '../../../scripts/bench/options.ts';

describe('the flags of the benchmark', () => {
  it('measure 2 KB over 20 connections with one worker unless told otherwise', () => {
    expect(optionsOf([])).toMatchObject({ bytes: [2048], connections: 20, workers: 1, json: false });
    expect(optionsOf([]).budgetMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('give --quick less to do, and an end', () => {
    const quick = optionsOf(['--quick']);
    expect(quick.mails).toBeLessThan(optionsOf([]).mails);
    expect(quick.budgetMs).toBeLessThan(50_000);
  });

  it('let --mails and --rounds have their way in --quick', () => {
    expect(optionsOf(['--quick', '--mails', '10', '--rounds', '2'])).toMatchObject({ mails: 10, rounds: 2 });
  });

  it('take several sizes', () => {
    expect(optionsOf(['--bytes', '2048', '--bytes', '102400']).bytes).toEqual([2048, 102400]);
  });

  it.each([['0'], ['-5'], ['2.5'], ['1e3'], ['many'], ['']])('refuse --mails %j and name it', (text) => {
    expect(() => optionsOf([`--mails=${text}`])).toThrow(/--mails .*whole number/);
  });

  it('refuse a flag that nobody knows', () => {
    expect(() => optionsOf(['--fast'])).toThrow(/--fast/);
  });
});

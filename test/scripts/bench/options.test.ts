import { describe, expect, it } from 'vitest';
import { MODES, optionsOf } from '../../../scripts/bench/options.ts';

describe('the flags of the benchmark', () => {
  it('measure 2 KB over 20 connections with one worker unless told otherwise', () => {
    expect(optionsOf([])).toMatchObject({ bytes: [2048], connections: 20, processes: 1, json: false });
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

  it.each(MODES.filter((mode) => mode !== 'compare'))('let --%s ask its own question', (mode) => {
    const flag = mode === 'latency' ? ['--latency', '50'] : [`--${mode}`];
    expect(optionsOf(flag).mode).toBe(mode);
    expect(optionsOf([...flag, '--quick']).budgetMs).toBeLessThan(50_000);
  });

  it('take a distance with --latency', () => {
    expect(optionsOf(['--latency', '80']).latencyMs).toBe(80);
    expect(() => optionsOf(['--latency', 'far'])).toThrow(/--latency far/);
  });

  it('refuse two questions at a time, and say which', () => {
    expect(() => optionsOf(['--idle', '--submit'])).toThrow(/--submit and --idle/);
  });

  it('refuse a flag that nobody knows', () => {
    expect(() => optionsOf(['--fast'])).toThrow(/--fast/);
  });
});

import { describe, expect, it } from 'vitest';
import { ChaosOptionError, chaosOptions } from '../../../scripts/chaos/options.ts';

describe('the options of chaos', () => {
  it('are a minute with thirty thousand recipients, three servers and six workers', () => {
    expect(chaosOptions([])).toMatchObject({
      ...{ seconds: 60, seed: 1, recipients: 30_000, servers: 3, workers: 6, store: 'sqlite', json: false },
    });
  });

  it('have as many recipients as the time allows, unless they are told', () => {
    expect(chaosOptions(['--seconds', '20']).recipients).toBe(10_000);
    expect(chaosOptions(['--seconds', '20', '--recipients', '7']).recipients).toBe(7);
  });

  it.each([
    [['--seconds', '0'], '--seconds 0: give a whole number from 1'],
    [['--seed', 'x'], '--seed x: give a whole number'],
    [['--store', 'paper'], '--store paper: give one of sqlite, postgres'],
    [['--servers', '1.5'], '--servers 1.5'],
    [['--what'], '--what'],
  ])('refuse %j and say why', (args, why) => {
    expect(() => chaosOptions(args)).toThrow(ChaosOptionError);
    expect(() => chaosOptions(args)).toThrow(why);
  });
});

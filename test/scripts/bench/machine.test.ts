import { describe, expect, it } from 'vitest';
import { isBusy, machineOf } from '../../../scripts/bench/machine.ts';

describe('the machine', () => {
  it('is described so that a reader can compare', () => {
    const machine = machineOf();
    expect(machine.node).toBe(process.version);
    expect(machine.cores).toBeGreaterThan(0);
    expect(machine.syncMs).toBeGreaterThanOrEqual(0);
    expect(machine.mutirao).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('is busy when others keep a quarter of its cores', () => {
    expect(isBusy({ loadBefore: 0.4, cores: 2 })).toBe(false);
    expect(isBusy({ loadBefore: 0.6, cores: 2 })).toBe(true);
    expect(isBusy({ loadBefore: 0.6, cores: 8 })).toBe(false);
  });
});

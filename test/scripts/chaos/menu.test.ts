import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LINKS,
  type MenuSettings,
  nameOf,
  type PlannedFault,
  planFaults,
} from '../../../scripts/chaos/menu.ts';

const SETTINGS: MenuSettings = {
  seed: 1,
  seconds: 60,
  leaseMs: 3_000,
  parts: { worker: 6, server: 3, sink: 2, database: 0 },
  links: {
    'client-server': 3,
    'worker-server': 6,
    'server-server': 3,
    'worker-relay': 6,
    'server-database': 0,
  },
};

const anySettings = fc.record({
  seed: fc.integer({ min: 0, max: 0xffffffff }),
  seconds: fc.integer({ min: 1, max: 90 }),
});

const planOf = (some: Partial<MenuSettings>): PlannedFault[] => planFaults({ ...SETTINGS, ...some });
const endOf = ({ atMs, fault }: PlannedFault): number => atMs + ('forMs' in fault ? fault.forMs : 0);

describe('the menu of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planOf({ seed: 7 })).toEqual(planOf({ seed: 7 }));
    expect(planOf({ seed: 7 })).not.toEqual(planOf({ seed: 8 }));
  });

  it('has at least three faults a second, in order, and all are over by the end', () => {
    fc.assert(
      fc.property(anySettings, ({ seed, seconds }) => {
        const plan = planOf({ seed, seconds });
        expect(plan.length).toBeGreaterThanOrEqual(3 * seconds);
        expect(plan.map(({ atMs }) => atMs)).toEqual(plan.map(({ atMs }) => atMs).sort((a, b) => a - b));
        for (const planned of plan) expect(endOf(planned)).toBeLessThanOrEqual(seconds * 1000);
      }),
      { numRuns: 50 },
    );
  });

  it('meets nobody with two faults of a process at once', () => {
    fc.assert(
      fc.property(anySettings, (settings) => {
        const until = new Map<string, number>();
        for (const planned of planOf(settings)) {
          const { fault, atMs } = planned;
          if (!('part' in fault)) continue;
          const victim = `${fault.part} ${fault.index}`;
          expect(until.get(victim) ?? 0).toBeLessThanOrEqual(atMs);
          until.set(victim, endOf(planned));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('holds every kind of fault, and meets every part and every kind of line', () => {
    const faults = planOf({ seconds: 300 }).map(({ fault }) => fault);
    const has = (wanted: (fault: (typeof faults)[number]) => boolean): boolean => faults.some(wanted);
    for (const kind of ['kill', 'freeze', 'delay', 'stall', 'cut', 'half-close', 'greet', 'cut-after-dot'])
      expect(
        has((fault) => fault.kind === kind),
        kind,
      ).toBe(true);
    for (const part of ['worker', 'server', 'sink'])
      expect(
        has((fault) => fault.kind === 'kill' && fault.part === part),
        part,
      ).toBe(true);
    for (const link of LINKS)
      expect(
        has((fault) => 'link' in fault && fault.link === link),
        link,
      ).toBe(link !== 'server-database');
    expect(faults.every((fault) => fault.kind !== 'freeze' || fault.forMs > SETTINGS.leaseMs)).toBe(true);
    expect(new Set(faults.map(nameOf)).size).toBeGreaterThan(faults.length / 3);
  });

  it('kills the database, and spoils the lines to it, where there is one', () => {
    const faults = planOf({
      seconds: 300,
      parts: { ...SETTINGS.parts, database: 1 },
      links: { ...SETTINGS.links, 'server-database': 3 },
    }).map(({ fault }) => nameOf(fault));
    expect(faults.some((name) => name.startsWith('kill database-1'))).toBe(true);
    expect(faults.some((name) => name.includes('server-database-'))).toBe(true);
  });
});

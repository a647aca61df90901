import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { HealthMonitor, type HealthSources } from '../../../server/health/monitor.ts';
import { processTimer } from '../../../server/timers.ts';
import type { LogLine } from '../../support/server.ts';

/** A monitor whose time and surroundings are the test's. */
function monitored() {
  const log: LogLine[] = [];
  const state = {
    now: 0,
    failing: false,
    commitMs: 0,
    ready: 0,
    workers: 1,
    setBy: 0,
    paused: undefined as string | undefined,
    touches: 0,
    touch: (): Promise<void> => Promise.resolve(),
  };
  const sources: HealthSources = {
    storeFailing: () => state.failing,
    commitMs: () => state.commitMs,
    touch: () => {
      state.touches++;
      return state.touch();
    },
    ready: () => state.ready,
    workers: () => state.workers,
    clockSetBy: () => state.setBy,
    pausedAtStart: () => state.paused,
    monotonic: () => state.now,
    setTimer: processTimer,
    logger: pino({ level: 'debug' }, { write: (line: string) => log.push(JSON.parse(line) as LogLine) }),
  };
  const monitor = new HealthMonitor(sources);
  const codes = (): string[] => monitor.conditions.map(({ code }) => code);
  /** Lets so much time pass, looking twice a second. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      state.now += 500;
      monitor.look();
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  monitor.look();
  return { monitor, state, log, codes, pass };
}

describe('the health of a server', () => {
  it('is quiet while all is well, and writes to the store now and then', async () => {
    const { monitor, state, log, pass } = monitored();
    await pass(60_000);
    expect(monitor.conditions).toEqual([]);
    expect(log).toEqual([]);
    expect(state.touches).toBeGreaterThanOrEqual(3);
    expect(state.touches).toBeLessThanOrEqual(4);
  });

  it('finds out by itself that the store cannot write, and that it can again: one line each, not ready in between', async () => {
    const { monitor, state, log, codes, pass } = monitored();
    await pass(1_000);
    state.touch = () => Promise.reject(new Error('disk full'));
    await pass(25_000);
    expect(monitor.conditions).toMatchObject([{ code: 'STORE_FAILING', isDown: true }]);
    state.touch = () => Promise.resolve();
    await pass(2_000);
    expect(codes()).toEqual([]);
    expect(log.map(({ msg, code }) => [code, /^over: /.test(msg)])).toEqual([
      ['STORE_FAILING', false],
      ['STORE_FAILING', true],
    ]);
  });

  it('tries a store that fails for others every second', async () => {
    const { state, codes, pass } = monitored();
    state.failing = true;
    await pass(5_000);
    expect(codes()).toEqual(['STORE_FAILING']);
    expect(state.touches).toBeGreaterThanOrEqual(4);
  });

  it('tells of a commit that takes seconds while it does, one at a time, and for a while afterwards', async () => {
    const { monitor, state, codes, pass } = monitored();
    const { promise, resolve } = Promise.withResolvers<void>();
    state.touch = () => promise;
    await pass(30_000);
    expect(monitor.conditions).toMatchObject([{ code: 'STORE_STALLED', isDown: true }]);
    const asked = state.touches;
    await pass(30_000);
    expect(state.touches).toBe(asked);
    state.touch = () => Promise.resolve();
    resolve();
    await pass(30_000);
    expect(codes()).toEqual([]);
  });

  it('takes the word of a store that measures its commits', async () => {
    const { state, codes, pass } = monitored();
    state.commitMs = 6_000;
    await pass(500);
    expect(codes()).toEqual(['STORE_STALLED']);
  });

  it('misses workers only when there is mail for them, and not at once; the server stays ready', async () => {
    const { monitor, state, codes, pass } = monitored();
    state.workers = 0;
    await pass(60_000);
    expect(codes()).toEqual([]);
    state.ready = 5;
    await pass(4_000);
    expect(codes()).toEqual([]);
    await pass(3_000);
    expect(monitor.conditions).toMatchObject([{ code: 'NO_WORKER', isDown: false }]);
    state.workers = 1;
    await pass(500);
    expect(codes()).toEqual([]);
  });

  it('notices that the event loop was late, says by how much, and forgets it', async () => {
    const { state, log, codes, pass } = monitored();
    await pass(1_000);
    state.now += 20_000;
    await pass(500);
    expect(codes()).toEqual(['EVENT_LOOP_LATE']);
    expect(log.at(-1)).toMatchObject({ code: 'EVENT_LOOP_LATE', lateMs: 20_000 });
    await pass(20_000);
    expect(codes()).toEqual([]);
  });

  it('tells of a clock that was set, of batches paused at the start, and of another server of its name', async () => {
    const { monitor, state, codes, pass } = monitored();
    state.setBy = 3_600_000;
    state.paused = 'a copy';
    monitor.identityClaimed('ws://10.0.0.9:8765');
    expect(codes()).toEqual(['CLOCK_SET', 'IDENTITY_CLAIMED', 'PAUSED_AT_START']);
    expect(monitor.conditions.every(({ isDown }) => !isDown)).toBe(true);
    state.setBy = 0;
    state.paused = undefined;
    await pass(6 * 60_000);
    expect(codes()).toEqual([]);
    expect(monitor.snapshot()).toEqual([]);
  });
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WorkerAlive } from '../../protocol/index.ts';
import { heartbeatMs, Presence } from '../../worker/presence.ts';
import { processSurroundings } from '../../worker/surroundings.ts';

/** A worker whose slots and leases the test sets, on a clock that the test turns. */
class Stage {
  readonly said: WorkerAlive[] = [];
  openSlots = 2;
  leases: string[] = [];
  renewEveryMs: number | undefined;
  readonly presence = new Presence(
    { worker: 'w', connections: 20, inFlight: 40 },
    {
      status: () => ({ openSlots: this.openSlots, leases: this.leases, renewEveryMs: this.renewEveryMs }),
      papers: () => ({}),
      send: (alive) => this.said.push(alive) > 0,
    },
    { ...processSurroundings, now: () => Date.now() },
  );

  get slots(): (number | undefined)[] {
    return this.said.map((alive) => alive.SLOTS);
  }

  take(task: string): void {
    this.leases.push(task);
    this.openSlots--;
    this.presence.tookTask(true);
    this.presence.changed();
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('says ALIVE when the link is there, and as a heartbeat', () => {
  const { presence, slots } = stage();
  presence.arrived();
  vi.advanceTimersByTime(25_000);
  expect(slots()).toEqual([2, 2, 2]);
  presence.stop();
});

test('a task that comes needs no word, one that ends asks for the next', () => {
  const { presence, slots, it } = stage();
  presence.arrived();
  it.take('a');
  vi.advanceTimersByTime(100);
  expect(slots()).toEqual([2]);
  it.openSlots = 2;
  presence.changed();
  presence.changed();
  vi.advanceTimersByTime(100);
  expect(slots()).toEqual([2, 2]);
  presence.stop();
});

test('leases are renewed in time also when they came between two heartbeats', () => {
  const { presence, it } = stage();
  presence.arrived();
  vi.advanceTimersByTime(9_000);
  it.renewEveryMs = 1_000;
  it.take('a');
  vi.advanceTimersByTime(1);
  expect(it.said.at(-1)?.TASKS).toEqual(['a']);
  vi.advanceTimersByTime(3_000);
  expect(it.said.length).toBe(5);
  presence.stop();
});

test('a renewal counts from when it was asked for', () => {
  const { presence, it } = stage();
  it.leases = ['a'];
  const start = Date.now();
  presence.arrived();
  vi.advanceTimersByTime(10_000);
  expect([presence.answered(), presence.answered()]).toEqual([start, start + 10_000]);
  presence.stop();
});

test('NO_TASK is answered with a new question after a pause', () => {
  const { presence, slots } = stage();
  presence.arrived();
  presence.noTask();
  vi.advanceTimersByTime(900);
  expect(slots()).toEqual([2]);
  vi.advanceTimersByTime(200);
  expect(slots()).toEqual([2, 2]);
  presence.stop();
});

test('without a link it says nothing', () => {
  const { presence, slots } = stage();
  presence.arrived();
  presence.lost();
  presence.changed();
  presence.noTask();
  vi.advanceTimersByTime(60_000);
  expect(slots()).toEqual([2]);
});

test('the heartbeat never waits longer than the leases allow', () => {
  expect(heartbeatMs(20_000)).toBe(10_000);
  expect(heartbeatMs(300)).toBe(300);
  expect(heartbeatMs(undefined)).toBe(10_000);
});

function stage() {
  const it = new Stage();
  return { it, presence: it.presence, slots: () => it.slots };
}

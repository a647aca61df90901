import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Step } from '../../sink/contract.ts';
import { Outbox } from '../../sink/outbox.ts';

const reply = (text: string): Step => ({ do: 'reply', text });
const wait = (ms: number): Step => ({ do: 'wait', ms });

describe('an outbox', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** An outbox, and when which of its steps was carried out, in milliseconds from now. */
  function outbox(latencyMs: number): { box: Outbox; log: string[] } {
    const log: string[] = [];
    const startMs = performance.now();
    const box = new Outbox(latencyMs, (step) => {
      const what = step.do === 'reply' ? step.text : step.do;
      log.push(`${what} ${Math.round(performance.now() - startMs)}`);
    });
    return { box, log };
  }

  it('without latency carries out at once', () => {
    const { box, log } = outbox(0);
    box.push([reply('a'), { do: 'end' }]);
    expect(log).toEqual(['a 0', 'end 0']);
  });

  it('lets the latencies of several chunks overlap', () => {
    const { box, log } = outbox(50);
    box.push([reply('a')]);
    vi.advanceTimersByTime(10);
    box.push([reply('b'), reply('c')]);
    vi.advanceTimersByTime(30);
    box.push([reply('d')]);
    expect(log).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(log).toEqual(['a 50', 'b 60', 'c 60', 'd 90']);
  });

  it('holds everything up behind a wait, and is full meanwhile', () => {
    const { box, log } = outbox(10);
    box.push([reply('a'), wait(100), reply('b')]);
    box.push([reply('c')]);
    expect(box.full).toBe(true);
    vi.advanceTimersByTime(109);
    expect(log).toEqual(['a 10']);
    vi.advanceTimersByTime(1);
    expect(log).toEqual(['a 10', 'b 110', 'c 110']);
    expect(box.full).toBe(false);
    box.push([reply('d')]);
    vi.advanceTimersByTime(10);
    expect(log.at(-1)).toBe('d 120');
  });

  it('keeps the order when a wait stands before what is due at once', () => {
    const { box, log } = outbox(0);
    box.push([wait(5), reply('a')]);
    vi.advanceTimersByTime(1);
    box.push([reply('b')]);
    vi.advanceTimersByTime(10);
    expect(log).toEqual(['a 5', 'b 5']);
  });

  it('keeps the order when its timer is late', () => {
    vi.useRealTimers();
    const { box, log } = outbox(0);
    box.push([wait(1), reply('a')]);
    const untilMs = performance.now() + 5;
    while (performance.now() < untilMs);
    box.push([reply('b')]);
    expect(log).toEqual([]);
    box.clear();
  });

  it('is full when too much is due, until some of it was carried out', () => {
    const { box, log } = outbox(10);
    for (let index = 0; index < 5_000; index += 1) box.push([reply('a')]);
    expect(box.full).toBe(true);
    vi.advanceTimersByTime(10);
    expect(log).toHaveLength(5_000);
    expect(box.full).toBe(false);
  });

  it('forgets what is not due when cleared', () => {
    const { box, log } = outbox(10);
    box.push([reply('a')]);
    box.clear();
    vi.advanceTimersByTime(100);
    expect(log).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_TASK_RECIPIENTS } from '../../../protocol/index.ts';
import { type TaskSizeInput, taskSize } from '../../../server/dispatch/task-size.ts';

const size = (changes: Partial<TaskSizeInput>): number =>
  taskSize({ rate: 100, connections: 10, ready: 1e6, workers: 1, taskMs: 2_000, ...changes });

describe('the size of a task', () => {
  it('is what the worker does in the time aimed at', () => {
    expect(size({ rate: 100 })).toBe(200);
    expect(size({ rate: 100, taskMs: 500 })).toBe(50);
  });

  it('is small while the speed is not known', () => {
    expect(size({ rate: undefined, connections: 20 })).toBe(40);
    expect(size({ rate: undefined, connections: undefined })).toBe(10);
  });

  it('keeps every connection busy, however slow the relay is', () => {
    expect(size({ rate: 0.1, connections: 20 })).toBe(20);
  });

  it('leaves the others their share of the tail', () => {
    expect(size({ rate: 1_000, ready: 400, workers: 4, connections: 5 })).toBe(50);
    expect(size({ rate: 1_000, ready: 400, workers: 1, connections: 5 })).toBe(400);
  });

  it('is never 0, and never above what is ready or the limit', () => {
    fc.assert(
      fc.property(
        fc.record({
          rate: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
          connections: fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: undefined }),
          ready: fc.integer({ min: 1, max: 1e7 }),
          workers: fc.nat(1_000),
          taskMs: fc.integer({ min: 100, max: 60_000 }),
        }),
        (input) => {
          const count = taskSize(input);
          expect(Number.isInteger(count)).toBe(true);
          expect(count).toBeGreaterThanOrEqual(1);
          expect(count).toBeLessThanOrEqual(Math.min(input.ready, MAX_TASK_RECIPIENTS));
        },
      ),
    );
  });

  it('lets all workers end together: simulated, the last is at most a task of its own late', () => {
    const workers = 4;
    const rate = 500;
    let ready = 10_000;
    const freeAt = Array<number>(workers).fill(0);
    while (ready > 0) {
      const next = freeAt.indexOf(Math.min(...freeAt));
      const count = size({ rate, ready, workers, connections: 5 });
      ready -= count;
      freeAt[next] = (freeAt[next] as number) + count / rate;
    }
    expect(Math.max(...freeAt) - Math.min(...freeAt)).toBeLessThan(0.3);
  });
});

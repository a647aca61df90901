import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ClockSource, SteadyClock } from '../../server/clock.ts';

const HOUR = 3_600_000;
const START = 1_700_000_000_000;

/** A machine whose clocks are the test's. */
class Machine implements ClockSource {
  #wall = START;
  #monotonic = 5_000;
  #sinceBoot = 9_000;

  wall = () => this.#wall;
  monotonic = () => this.#monotonic;
  sinceBoot = () => this.#sinceBoot;

  pass(ms: number): void {
    this.sleep(ms);
    this.#monotonic += ms;
  }

  sleep(ms: number): void {
    this.#wall += ms;
    this.#sinceBoot += ms;
  }

  set(by: number): void {
    this.#wall += by;
  }
}

function steady() {
  const machine = new Machine();
  return { machine, clock: new SteadyClock(machine) };
}

describe("the server's clock", () => {
  it('is the wall clock while nobody sets that', () => {
    const { machine, clock } = steady();
    for (const ms of [0, 1, 17.5, 60_000, HOUR]) {
      machine.pass(ms);
      expect(clock.now()).toBeCloseTo(machine.wall(), 3);
    }
    expect(clock.setBy).toBe(0);
    expect(clock.monotonic()).toBe(machine.monotonic());
  });

  it('follows a clock that drifts', () => {
    const { machine, clock } = steady();
    for (let i = 0; i < 1_000; i++) {
      machine.pass(1_000);
      machine.set(i % 2 === 0 ? 20 : 10);
      clock.now();
    }
    expect(Math.abs(clock.now() - machine.wall())).toBeLessThan(1);
  });

  for (const jump of [HOUR, -HOUR]) {
    it(`goes on as before when the wall clock jumps by ${jump / HOUR} h, and is with it again a day later`, () => {
      const { machine, clock } = steady();
      machine.pass(1_000);
      const before = clock.now();
      machine.set(jump);
      expect(clock.now()).toBe(before);
      machine.pass(5 * 60_000);
      const passed = clock.now() - before;
      expect(Math.abs(passed - 5 * 60_000)).toBeLessThanOrEqual(0.05 * 5 * 60_000);
      expect(Math.abs(clock.setBy)).toBeGreaterThan(0.9 * HOUR);
      expect(Math.sign(clock.setBy)).toBe(Math.sign(jump));
      for (let i = 0; i < 24; i++) {
        machine.pass(HOUR);
        clock.now();
      }
      expect(clock.now()).toBeCloseTo(machine.wall(), 3);
      expect(clock.setBy).toBe(0);
    });
  }

  it('counts at once the time for which the machine slept, and only that', () => {
    const { machine, clock } = steady();
    machine.pass(2_000);
    clock.now();
    machine.sleep(HOUR);
    machine.pass(2_000);
    expect(clock.now()).toBeCloseTo(machine.wall(), 3);
    machine.sleep(HOUR);
    machine.set(2 * HOUR);
    machine.pass(2_000);
    expect(machine.wall() - clock.now()).toBeGreaterThan(1.99 * HOUR);
    expect(machine.wall() - clock.now()).toBeLessThan(2.01 * HOUR);
  });

  it('never goes back and never runs more than 5 % off, whatever happens to the wall clock', () => {
    const event = fc.record({ pass: fc.nat(600_000), set: fc.integer({ min: -3 * HOUR, max: 3 * HOUR }) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 50 }), (events) => {
        const { machine, clock } = steady();
        let last = clock.now();
        for (const { pass, set } of events) {
          machine.set(set);
          machine.pass(pass);
          const now = clock.now();
          expect(Math.abs(now - last - pass)).toBeLessThanOrEqual(0.05 * pass + 0.01);
          expect(now).toBeGreaterThanOrEqual(last);
          last = now;
        }
      }),
    );
  });
});

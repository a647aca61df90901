import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SmtpFact } from '../../../mail/index.ts';
import { BLOCK_HEAD, readBlocks } from '../../../worker/journal/blocks.ts';
import { RESERVE_BYTES, SLOT_BYTES } from '../../../worker/journal/journal.ts';
import type { TaskRecord } from '../../../worker/tasks/contract.ts';
import { KeptLog } from '../support/log.ts';
import { until } from '../support/until.ts';
import { CUT, Files, journalIn, knownBy, NAMES, REFUSED, SENT } from './support.ts';

const ORIGIN = 'ws://127.0.0.1:8765/';

/** The next process after one that ended without a word. */
const successor = (files: Files) => journalIn(files.copy());

describe('a journal', () => {
  test('tells the next process what was begun, and how it ended where that is known', () => {
    const files = new Files();
    const journal = journalIn(files);
    const task = journal.record('t1', ORIGIN);
    for (const seq of [7, 8, 9, 2 ** 40]) task.begun(seq);
    task.settled(7, SENT, true);
    task.settled(8, REFUSED, false);
    task.settled(9, CUT, false);
    journal.flush();
    const facts = [
      [8, REFUSED],
      [9, CUT],
    ];
    expect(knownBy(successor(files))).toEqual([
      { id: 't1', origin: ORIGIN, isSudden: true, begun: [2 ** 40], sent: [7], facts },
    ]);
  });

  test('has no word of a task of which nothing was begun, nor of one that was acknowledged', () => {
    const files = new Files();
    const journal = journalIn(files);
    journal.record('untouched', ORIGIN).forgotten();
    const done = journal.record('done', ORIGIN);
    done.begun(0);
    done.settled(0, SENT, true);
    done.forgotten();
    journal.flush();
    expect(knownBy(successor(files))).toEqual([]);
    expect(journal.open).toBe(0);
  });

  test('makes the next process the same worker, with what is left told again until it is acknowledged', () => {
    const files = new Files();
    const first = journalIn(files);
    first.record('t1', ORIGIN).begun(0);
    first.flush();
    const second = journalIn(files);
    expect(second.worker).toBe(first.worker);
    const third = journalIn(files.copy());
    expect(knownBy(third)).toEqual(knownBy(second));
    for (const { record } of second.known) record.forgotten();
    second.flush();
    expect(knownBy(successor(files))).toEqual([]);
    expect(successor(files).worker).toBe(first.worker);
  });

  test('says of a process that was told to end that it was', () => {
    const files = new Files();
    const journal = journalIn(files);
    journal.record('t1', ORIGIN).begun(0);
    journal.close();
    const next = journalIn(files);
    expect(knownBy(next)).toMatchObject([{ id: 't1', isSudden: false }]);
    expect(knownBy(successor(files))).toMatchObject([{ id: 't1', isSudden: true }]);
  });

  test('is written once for all that one turn of the event loop brings, and before a mail that cannot wait', async () => {
    const files = new Files();
    const journal = journalIn(files);
    const task = journal.record('t1', ORIGIN);
    const before = files.writes;
    for (let seq = 0; seq < 100; seq++) task.begun(seq);
    const ticket = journal.ticket();
    expect(files.writes).toBe(before);
    expect(knownBy(successor(files))).toEqual([]);
    expect(journal.admits(ticket)).toBe(true);
    expect(files.writes).toBe(before + 1);
    expect(knownBy(successor(files))[0]?.begun).toHaveLength(100);
    // Later ones do not make it be written again for the earlier ones.
    task.begun(100);
    expect(journal.admits(ticket)).toBe(true);
    expect(files.writes).toBe(before + 1);
    await until('the turn is over', () => files.writes === before + 2);
    expect(knownBy(successor(files))[0]?.begun).toHaveLength(101);
  });

  test('calls those who wait for the write of this turn when it is done, or has failed, once each', async () => {
    const files = new Files();
    const journal = journalIn(files);
    const task = journal.record('t1', ORIGIN);
    const told: unknown[] = [];
    const wait = (seq: number): void => {
      task.begun(seq);
      const ticket = journal.ticket();
      journal.afterWrite(() =>
        told.push([seq, journal.admits(ticket), knownBy(successor(files))[0]?.begun.length]),
      );
    };
    const before = files.writes;
    wait(0);
    wait(1);
    expect(told).toEqual([]);
    await until('both are called', () => told.length === 2);
    expect(told).toEqual([
      [0, true, 2],
      [1, true, 2],
    ]);
    expect(files.writes).toBe(before + 1);
    files.isBroken = true;
    wait(2);
    await until('it is called', () => told.length === 3);
    expect(told[2]).toEqual([2, false, 2]);
    journal.close();
    journal.afterWrite(() => told.push('at once'));
    expect(told[3]).toBe('at once');
  });

  test('stays small however much is sent, and is empty when nothing is open', () => {
    const files = new Files();
    const journal = journalIn(files);
    const hanging = journal.record('hanging', ORIGIN);
    hanging.begun(5);
    for (let number = 0; number < 2_000; number++) {
      const task = journal.record(`task ${number}`, ORIGIN);
      for (let seq = 0; seq < 50; seq++) task.begun(seq);
      for (let seq = 0; seq < 50; seq += 2) task.settled(seq, SENT, true);
      for (let seq = 1; seq < 50; seq += 2) task.settled(seq, SENT, true);
      journal.flush();
      task.forgotten();
    }
    journal.flush();
    expect(files.size).toBe(2 * SLOT_BYTES);
    expect(knownBy(successor(files))).toMatchObject([{ id: 'hanging', begun: [5] }]);
    hanging.forgotten();
    journal.flush();
    journal.sweep();
    expect(endOf(files)).toBeLessThan(400);
  });

  test('does the same as one who keeps all in mind, wherever the process ends', () => {
    const seq = fc.nat({ max: 40 });
    const which = fc.nat({ max: 3 });
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('begun' as const), which, seq }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constant('settled' as const), which, seq }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('forgotten' as const), which, seq }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('flush' as const), which, seq }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const), which, seq }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), which, seq }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), which, seq }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const files = new Files();
        let journal = journalIn(files);
        let number = 0;
        const fresh = () => ({ id: `task ${number++}`, ends: new Map<number, SmtpFact | undefined>() });
        type Held = ReturnType<typeof fresh> & { record: TaskRecord };
        const hold = (): Held => {
          const task = fresh();
          return { ...task, record: journal.record(task.id, ORIGIN) };
        };
        let held = Array.from({ length: 4 }, hold);
        for (const { do: what, which, seq } of steps) {
          const task = held[which] as Held;
          if (what === 'begun' && !task.ends.has(seq)) {
            task.record.begun(seq);
            task.ends.set(seq, undefined);
          } else if (what === 'settled' && task.ends.has(seq) && task.ends.get(seq) === undefined) {
            const fact = [SENT, REFUSED, CUT][seq % 3] as SmtpFact;
            task.record.settled(seq, fact, fact === SENT);
            task.ends.set(seq, fact);
          } else if (what === 'forgotten') {
            task.record.forgotten();
            held[which] = hold();
          } else if (what === 'flush') journal.flush();
          else if (what === 'sweep') journal.sweep();
          else if (what === 'clear') {
            // As much as makes it go over to the other file.
            const long = journal.record('long', ORIGIN);
            const error = 'x'.repeat(1_000);
            long.begun(0);
            for (let i = 0; i < 30; i++) long.settled(i, { ...CUT, error: error.repeat(20) }, false);
            long.forgotten();
            journal.flush();
          } else if (what === 'restart') {
            journal.flush();
            journal = journalIn(files);
            held = held.map((one) => ({
              ...one,
              record: journal.known.find(({ id }) => id === one.id)?.record ?? journal.record(one.id, ORIGIN),
            }));
          }
        }
        journal.flush();
        const expected = held
          .filter(({ ends }) => ends.size > 0)
          .map(({ id, ends }) => ({
            id,
            begun: of(ends, (fact) => fact === undefined),
            sent: of(ends, (fact) => fact === SENT),
            facts: of(ends, (fact) => fact !== undefined && fact !== SENT).map((one) => [one, ends.get(one)]),
          }));
        const known = knownBy(successor(files)).map(({ id, begun, sent, facts }) => ({
          id,
          begun,
          sent,
          facts,
        }));
        expect(known).toEqual(expected.sort((a, b) => (a.id < b.id ? -1 : 1)));
      }),
      { numRuns: 150 },
    );
  });
});

function of(
  ends: Map<number, SmtpFact | undefined>,
  isMeant: (fact: SmtpFact | undefined) => boolean,
): number[] {
  return [...ends]
    .filter(([, fact]) => isMeant(fact))
    .map(([seq]) => seq)
    .sort((a, b) => a - b);
}

/** Where the blocks of the file that counts end. */
function endOf(files: Files): number {
  const { contents } = readBlocks(files.content.get(files.current) ?? Buffer.alloc(0));
  return contents.reduce((end, { length }) => end + BLOCK_HEAD + length, 0);
}

describe('a journal whose process ended in the middle of a write', () => {
  /** Two blocks, of which the second is cut. */
  function twoBlocks() {
    const files = new Files();
    // Something older is in the other file.
    journalIn(files).record('t0', ORIGIN).begun(0);
    const journal = journalIn(files);
    const task = journal.record('t1', ORIGIN);
    task.begun(0);
    journal.flush();
    const first = endOf(files);
    task.begun(1);
    // It ends with a byte that is not nought.
    task.settled(0, CUT, false);
    journal.flush();
    return { files, worker: journal.worker, first, end: endOf(files) };
  }

  test('knows all but that write, at whichever byte it stopped', () => {
    const { files, worker, first, end } = twoBlocks();
    for (let cut = first; cut < end; cut++) {
      for (const isTruncated of [false, true]) {
        const torn = files.copy();
        const content = torn.content.get(torn.current) as Buffer;
        content.fill(0, cut);
        if (isTruncated) torn.content.set(torn.current, content.subarray(0, cut));
        const next = journalIn(torn);
        expect({ cut, worker: next.worker }).toEqual({ cut, worker });
        expect(knownBy(next)).toMatchObject([{ id: 't1', begun: [0], facts: [] }]);
      }
    }
  });

  test('knows all that was there before, at whichever byte it stopped going over to the other file', () => {
    const { files, worker } = twoBlocks();
    const complete = files.copy();
    const known = knownBy(journalIn(complete));
    const other = complete.current;
    expect(other).not.toBe(files.current);
    const written = complete.content.get(other) as Buffer;
    const end = endOf(complete);
    for (let cut = 0; cut <= end; cut++) {
      const torn = files.copy();
      torn.content.set(other, Buffer.concat([written.subarray(0, cut), Buffer.alloc(SLOT_BYTES - cut)]));
      const next = journalIn(torn);
      expect({ cut, worker: next.worker }).toEqual({ cut, worker });
      expect(knownBy(next)).toEqual(known);
    }
  });

  test('is not believed when a byte of what others follow is wrong: that is a new worker, and says why', () => {
    const { files, worker, first } = twoBlocks();
    for (let at = 0; at < first; at++) {
      const damaged = files.copy();
      const content = damaged.content.get(damaged.current) as Buffer;
      content[at] = (content[at] as number) ^ 0x10;
      const log = new KeptLog();
      const next = journalIn(damaged, log);
      expect({ at, isSame: next.worker === worker, known: next.known.length }).toEqual({
        ...{ at, isSame: false, known: 0 },
      });
      expect(log.lines[0]).toMatchObject({ level: 'error' });
      expect(log.lines[0]?.message).toMatch(/journal is damaged/);
    }
  });

  test('loses at most its last block when a byte of that is wrong', () => {
    const { files, first, end } = twoBlocks();
    for (let at = first; at < end; at++) {
      const damaged = files.copy();
      const content = damaged.content.get(damaged.current) as Buffer;
      content[at] = (content[at] as number) ^ 0x10;
      const known = knownBy(journalIn(damaged));
      // Or it is not believed: where the length of the block is wrong.
      if (known.length > 0) expect(known).toMatchObject([{ begun: [0], facts: [] }]);
    }
  });

  test('of before the last start of the machine is not believed: its last records may be lost', () => {
    const { files, worker } = twoBlocks();
    const log = new KeptLog();
    const next = journalIn(files, log, 'the next start');
    expect(next.worker).not.toBe(worker);
    expect(next.known).toEqual([]);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { tasks: 1 } }]);
  });
});

describe('a journal on a full disk', () => {
  /** Fills the journal with what is open, until it needs more than it has. */
  function fill(journal: ReturnType<typeof journalIn>): TaskRecord {
    const task = journal.record('large', ORIGIN);
    const error = 'x'.repeat(1_000);
    for (let seq = 0; journal.isWritable && seq < 10_000; seq++) {
      task.begun(seq);
      task.settled(seq, { ...CUT, error }, false);
      journal.flush();
    }
    return task;
  }

  test('goes on in the room that it has from the start', () => {
    const files = new Files();
    const journal = journalIn(files);
    files.limit = files.size;
    for (let number = 0; number < 3_000; number++) {
      const task = journal.record(`task ${number}`, ORIGIN);
      for (let seq = 0; seq < 20; seq++) task.begun(seq);
      expect(journal.flush()).toBe(true);
      task.forgotten();
    }
    expect(journal.isWritable).toBe(true);
  });

  test('says once that nothing new may be begun, before there is no room for what is under way; goes on by itself', () => {
    const files = new Files();
    const log = new KeptLog();
    const journal = journalIn(files, log);
    const changes: boolean[] = [];
    journal.watch(() => changes.push(journal.isWritable));
    files.limit = files.size;
    const task = fill(journal);
    expect(journal.isWritable).toBe(false);
    const begun = knownBy(successor(files))[0]?.facts.length as number;
    expect(begun * 1_000).toBeGreaterThan(SLOT_BYTES - 2 * RESERVE_BYTES);
    task.begun(10_000);
    expect(journal.flush()).toBe(true);
    for (let i = 0; i < 5; i++) journal.sweep();
    expect(log.lines.map(({ level }) => level)).toEqual(['error']);
    expect(knownBy(successor(files))[0]?.begun).toEqual([10_000]);
    files.limit = Number.POSITIVE_INFINITY;
    journal.sweep();
    expect(changes).toEqual([false, true]);
    expect(log.lines.map(({ level }) => level)).toEqual(['error', 'info']);
    expect(knownBy(successor(files))[0]?.begun).toEqual([10_000]);
  });

  test('has room again when what is open is over', () => {
    const files = new Files();
    const journal = journalIn(files);
    files.limit = files.size;
    const task = fill(journal);
    expect(journal.isWritable).toBe(false);
    task.forgotten();
    journal.sweep();
    expect(journal.isWritable).toBe(true);
  });

  test('lets no mail go that it could not write down, and keeps what it has to say until it can', () => {
    const files = new Files();
    const log = new KeptLog();
    const journal = journalIn(files, log);
    const task = journal.record('t1', ORIGIN);
    task.begun(0);
    journal.flush();
    files.isBroken = true;
    task.begun(1);
    expect(journal.admits(journal.ticket())).toBe(false);
    expect(journal.isWritable).toBe(false);
    task.settled(0, SENT, true);
    const { writes } = files;
    expect(journal.flush()).toBe(false);
    expect(files.writes).toBe(writes);
    files.isBroken = false;
    journal.sweep();
    expect(journal.isWritable).toBe(true);
    expect(knownBy(successor(files))).toMatchObject([{ begun: [1], sent: [0] }]);
    expect(log.lines.map(({ level }) => level)).toEqual(['error', 'info']);
  });

  test('cannot be opened without the room it needs, and says so', () => {
    const files = new Files();
    files.limit = SLOT_BYTES;
    expect(() => journalIn(files)).toThrow('ENOSPC');
    expect(NAMES.every((name) => files.content.has(name))).toBe(true);
  });
});

import type { SmtpFact } from '../../mail/index.ts';
import { rangesOf } from '../../protocol/index.ts';
import { KIND, type RecordWriter, readRecords } from './records.ts';

/** What a journal knows of a task that is not ended. */
export interface OpenTask {
  readonly id: string;
  readonly origin: string;
  /** Begun, and nothing is known of their end. */
  readonly begun: Set<number>;
  /** The relay has accepted them. */
  readonly sent: Set<number>;
  /** How the others ended. */
  readonly facts: Map<number, SmtpFact>;
}

/** The tasks that these blocks leave open, by their number. @throws RangeError when they hold no records */
export function openTasks(blocks: readonly Buffer[]): Map<number, OpenTask> {
  const ended = new Set<number>();
  for (const block of blocks) readRecords(block, { ended: (task) => ended.add(task) });
  const tasks = new Map<number, OpenTask>();
  // Most are ended, and cost no more than being read over.
  const each = (seq: number, count: number, act: (seq: number) => void): void => {
    for (let i = 0; i < count; i++) act(seq + i);
  };
  for (const block of blocks) {
    readRecords(block, {
      open: (number, id, origin) => {
        if (!ended.has(number))
          tasks.set(number, { id, origin, begun: new Set(), sent: new Set(), facts: new Map() });
      },
      begun: (number, from, count) => {
        const task = tasks.get(number);
        if (task !== undefined) each(from, count, (seq) => task.begun.add(seq));
      },
      sent: (number, from, count) => {
        const task = tasks.get(number);
        if (task === undefined) return;
        each(from, count, (seq) => {
          task.begun.delete(seq);
          task.sent.add(seq);
        });
      },
      fact: (number, seq, fact) => {
        const task = tasks.get(number);
        task?.begun.delete(seq);
        task?.facts.set(seq, fact);
      },
    });
  }
  return tasks;
}

/** Writes down what is open, so that it reads the same. */
export function writeOpenTasks(tasks: ReadonlyMap<number, OpenTask>, writer: RecordWriter): void {
  for (const [number, { id, origin, begun, sent, facts }] of tasks) {
    writer.open(number, id, origin);
    for (const [from, to] of rangesOf(begun)) writeRun(KIND.begun, number, from, to, writer);
    for (const [from, to] of rangesOf(sent)) writeRun(KIND.sent, number, from, to, writer);
    for (const [seq, fact] of facts) writer.fact(number, seq, fact);
  }
}

function writeRun(kind: number, task: number, from: number, to: number, writer: RecordWriter): void {
  const longest = 0xffff;
  for (let seq = from; seq <= to; seq += longest)
    writer.run(kind, task, seq, Math.min(longest, to - seq + 1));
}

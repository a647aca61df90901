import type { SmtpFact, SmtpPhase, SmtpStage } from '../../mail/index.ts';
import { BLOCK_HEAD } from './blocks.ts';

/**
 * The records of a block, one behind the other. A kind (u8), the number of the task in this journal (u32), and:
 *
 * - OPEN: name of the task and of its server, each as length (u32) and UTF-8
 * - BEGUN, SENT: a run of recipients, as first seq (f64: any integer of the wire) and how many (u16)
 * - FACT: seq (f64), stage and phase (u8), reply and error, each as length (u32) and UTF-8; ABSENT for none
 * - END: nothing more; the server has acknowledged all of the task
 */
export const KIND = { open: 1, begun: 2, sent: 3, fact: 4, end: 5 } as const;

const ABSENT = 0xffff_ffff;
const MAX_RUN = 0xffff;
const RUN_BYTES = 15;
const FACT_BYTES = 15;
/** First size of the memory for a block, bytes; it grows. */
const FIRST_BYTES = 16 * 1024;
/** UTF-8 bytes per UTF-16 unit, at most. */
const UTF8_BYTES = 3;

const STAGES: readonly SmtpStage[] = [
  ...(['connect', 'greeting', 'ehlo', 'tls', 'auth', 'mail'] as const),
  ...(['rcpt', 'data', 'dot', 'local'] as const),
];
const PHASES: readonly SmtpPhase[] = ['not-sent', 'sent-unconfirmed', 'replied'];

/** Collects the records of the next block. */
export class RecordWriter {
  #bytes = Buffer.alloc(FIRST_BYTES);
  #end = BLOCK_HEAD;
  /** Of the run that was written last: it may go on. */
  #runKind = 0;
  #runTask = 0;
  #runNext = -1;
  #runCountAt = 0;

  get isEmpty(): boolean {
    return this.#end === BLOCK_HEAD;
  }

  /** Size of the block so far, bytes. */
  get end(): number {
    return this.#end;
  }

  /** The block, but for its head. Valid until the next record. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  clear(): void {
    this.#end = BLOCK_HEAD;
    this.#runKind = 0;
  }

  open(task: number, id: string, origin: string): void {
    this.#begin(KIND.open, task, 0);
    this.text(id);
    this.text(origin);
  }

  begun(task: number, seq: number): void {
    this.run(KIND.begun, task, seq, 1);
  }

  sent(task: number, seq: number): void {
    this.run(KIND.sent, task, seq, 1);
  }

  run(kind: number, task: number, seq: number, count: number): void {
    const isNext = this.#runKind === kind && this.#runTask === task && this.#runNext === seq;
    if (isNext && count === 1) {
      const length = this.#bytes.readUInt16LE(this.#runCountAt);
      if (length < MAX_RUN) {
        this.#bytes.writeUInt16LE(length + 1, this.#runCountAt);
        this.#runNext++;
        return;
      }
    }
    const at = this.#begin(kind, task, RUN_BYTES);
    this.#bytes.writeDoubleLE(seq, at);
    this.#bytes.writeUInt16LE(count, at + 8);
    this.#end = at + 10;
    this.#runKind = kind;
    this.#runTask = task;
    this.#runNext = seq + count;
    this.#runCountAt = at + 8;
  }

  fact(task: number, seq: number, { stage, phase, reply, error }: SmtpFact): void {
    const at = this.#begin(KIND.fact, task, FACT_BYTES);
    this.#bytes.writeDoubleLE(seq, at);
    this.#bytes[at + 8] = STAGES.indexOf(stage);
    this.#bytes[at + 9] = PHASES.indexOf(phase);
    this.#end = at + 10;
    this.text(reply);
    this.text(error);
  }

  ended(task: number): void {
    this.#begin(KIND.end, task, 0);
  }

  text(text: string | undefined): void {
    this.#room(4 + (text?.length ?? 0) * UTF8_BYTES);
    const length = text === undefined ? ABSENT : this.#bytes.write(text, this.#end + 4);
    this.#bytes.writeUInt32LE(length, this.#end);
    this.#end += 4 + (text === undefined ? 0 : length);
    this.#runKind = 0;
  }

  /** @returns where the rest of the record goes */
  #begin(kind: number, task: number, size: number): number {
    this.#room(5 + size);
    this.#bytes[this.#end] = kind;
    this.#bytes.writeUInt32LE(task, this.#end + 1);
    this.#end += 5;
    this.#runKind = 0;
    return this.#end;
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = Buffer.alloc(2 * (this.#bytes.length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/** Told of each record, in order. */
export interface RecordVisitor {
  open(task: number, id: string, origin: string): void;
  begun(task: number, seq: number, count: number): void;
  sent(task: number, seq: number, count: number): void;
  fact(task: number, seq: number, fact: SmtpFact): void;
  ended(task: number): void;
}

/** Reads the records of a block whose checksum is right. @throws RangeError when they are no records all the same */
export function readRecords(content: Buffer, visitor: Partial<RecordVisitor>): void {
  const reader = new Reader(content);
  while (!reader.isAtEnd) {
    const kind = reader.u8();
    const task = reader.u32();
    switch (kind) {
      case KIND.open: {
        const id = reader.text() ?? '';
        const origin = reader.text() ?? '';
        visitor.open?.(task, id, origin);
        break;
      }
      case KIND.begun:
      case KIND.sent: {
        const seq = reader.f64();
        const count = reader.u16();
        if (kind === KIND.begun) visitor.begun?.(task, seq, count);
        else visitor.sent?.(task, seq, count);
        break;
      }
      case KIND.fact: {
        const seq = reader.f64();
        const fact = reader.fact();
        visitor.fact?.(task, seq, fact);
        break;
      }
      case KIND.end:
        visitor.ended?.(task);
        break;
      default:
        throw new RangeError(`there is no record of kind ${kind}`);
    }
  }
}

/** Reads what `RecordWriter` writes. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** What was not read yet. */
  get rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  u8(): number {
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  u16(): number {
    this.#at += 2;
    return this.#bytes.readUInt16LE(this.#at - 2);
  }

  u32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  f64(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  text(): string | undefined {
    const length = this.u32();
    if (length === ABSENT) return undefined;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('a text goes beyond its block');
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }

  fact(): SmtpFact {
    const stage = STAGES[this.u8()];
    const phase = PHASES[this.u8()];
    if (stage === undefined || phase === undefined) throw new RangeError('there is no such stage or phase');
    const reply = this.text();
    const error = this.text();
    return {
      stage,
      phase,
      ...(reply === undefined ? {} : { reply }),
      ...(error === undefined ? {} : { error }),
    };
  }
}

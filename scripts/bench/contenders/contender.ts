import type { Letter } from '../letter.ts';

/** Where every contender sends to. */
export interface Relay {
  readonly host: string;
  readonly port: number;
}

/** What a contender is given to do in a round. */
export interface Load {
  readonly mails: number;
  readonly letter: Letter;
}

/** Processor time of one process, or of several of one kind; µs. */
export type CpuByPart = Readonly<Record<string, number>>;

/** One round of one contender. */
export interface Sample {
  readonly mails: number;
  /** From the first submission to the last result. */
  readonly seconds: number;
  /** Undefined where the system does not tell (see usage.ts). */
  readonly cpuMicros: CpuByPart | undefined;
}

/** Something that sends mail: started once, then called round by round, so that its code is as warm as in a long run. */
export interface Contender {
  readonly name: string;
  /** @throws Unavailable where it cannot take part on this machine */
  start(): Promise<void>;
  /** Sends the load, over connections that stay open for the next where the contender can keep them. @throws when not every mail was accepted */
  round(load: Load): Promise<Sample>;
  /** Highest memory in use since the start, by part, MB; undefined where the system does not tell. */
  peakRssMB(): CpuByPart | undefined;
  stop(): Promise<void>;
}

/** What would be measured cannot be had on this machine; the message says why. */
export class Unavailable extends Error {
  readonly code = 'UNAVAILABLE';
}

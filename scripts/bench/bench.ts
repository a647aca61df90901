import type { BenchOptions } from './options.ts';

/** What a benchmark is given to work with. */
export interface Bench {
  readonly options: BenchOptions;
  /** Shows a line to whoever waits. */
  say(line?: string): void;
  /** Rejects at Ctrl-C too, so that whatever waits ends and stops what it has started. */
  orInterrupted<T>(work: Promise<T>): Promise<T>;
  /** Since the command was started, ms. */
  elapsedMs(): number;
}

/** Somebody who could not take part. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

/** What a benchmark has found. */
export interface Findings {
  /** The sinks or relays that mail was sent to. */
  readonly sink: string;
  /** What was measured: the flags that matter, for the JSON. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly rows: readonly object[];
  /** The rows for people. */
  readonly table: readonly string[];
  readonly skipped?: readonly Skipped[];
}

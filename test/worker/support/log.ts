import type { Logger } from '../../../worker/logger.ts';

export interface Line {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** Keeps every line, so that a test can look at them. */
export class KeptLog implements Logger {
  readonly lines: Line[] = [];
  trace = this.#keep('trace');
  debug = this.#keep('debug');
  info = this.#keep('info');
  warn = this.#keep('warn');
  error = this.#keep('error');

  has(message: string): boolean {
    return this.lines.some((line) => line.message === message);
  }

  #keep(level: string): (fields: object, message: string) => void {
    return (fields, message) => {
      this.lines.push({ level, fields: { ...fields }, message });
    };
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..', '..');

/** One line of a process's JSON log. */
export type LogRecord = Readonly<Record<string, unknown>> & { readonly msg?: string };

export interface ProcessOptions {
  /** What the process is called in messages. */
  readonly name: string;
  /** Entry file, from the repository's root. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly onLog?: (record: LogRecord) => void;
}

/** A real process of ours: its log lines as they come, what it prints, its end by a signal of choice. */
export class Process {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #printed: string[] = [];
  readonly #said: string[] = [];
  readonly #logs: LogRecord[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #ended: Promise<number | NodeJS.Signals>;
  #isOver = false;

  constructor({ name, entry, args, cwd, env, onLog }: ProcessOptions) {
    this.name = name;
    this.#child = spawn(process.execPath, [join(ROOT, entry), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
    });
    if (this.#child.stdout === null || this.#child.stderr === null) throw new Error('no pipes');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#printed.push(line);
      this.#wake();
    });
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.#said.push(line);
      const record = recordOf(line);
      this.#logs.push(record);
      onLog?.(record);
      this.#wake();
    });
    this.#ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#isOver = true;
      this.#wake();
      return (code as number | null) ?? (signal as NodeJS.Signals);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** It has ended, by whatever cause. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sends a signal and waits for nothing. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#isOver) this.#child.kill(signal);
  }

  /** Lines of standard output so far. */
  get printed(): readonly string[] {
    return this.#printed;
  }

  /** Lines of standard error so far, as they came. */
  get said(): readonly string[] {
    return this.#said;
  }

  /** Records of its log so far; a line that is none is the `msg` of one. */
  get logs(): readonly LogRecord[] {
    return this.#logs;
  }

  /** Waits for a log line, by its message. @throws when the process ends or `withinMs` pass before it comes. */
  async logged(message: string | RegExp, withinMs = 15_000): Promise<LogRecord> {
    const isIt = ({ msg = '' }: LogRecord): boolean =>
      typeof message === 'string' ? msg === message : message.test(msg);
    return this.#until(() => this.#logs.find(isIt), `log "${message}"`, withinMs);
  }

  /** Waits for a line of standard output that matches. */
  async prints(pattern: RegExp, withinMs = 15_000): Promise<RegExpExecArray> {
    const find = (): RegExpExecArray | undefined => {
      for (const line of this.#printed) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      return undefined;
    };
    return this.#until(find, `line ${pattern}`, withinMs);
  }

  /** Waits until it ends by itself. @returns exit code, or the signal that ended it @throws when it does not in time */
  async ended(withinMs = 15_000): Promise<number | NodeJS.Signals> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.name} has not ended within ${withinMs} ms\n${this.#lastWords()}`)),
        withinMs,
      );
    });
    try {
      return await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks it to end, and waits for that. @returns exit code, or the signal that ended it */
  async stop(signal: NodeJS.Signals = 'SIGTERM', withinMs = 40_000): Promise<number | NodeJS.Signals> {
    this.signal(signal);
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), withinMs);
    const how = await this.#ended;
    clearTimeout(kill);
    return how;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  async #until<T>(find: () => T | undefined, what: string, withinMs: number): Promise<T> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`${this.name} ended before: ${what}\n${this.#lastWords()}`);
      if (performance.now() > deadline)
        throw new Error(`${this.name}: no ${what} within ${withinMs} ms\n${this.#lastWords()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, 250);
        const waiting = this.#waiting;
        function wake(): void {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        }
        waiting.add(wake);
      });
    }
  }

  #lastWords(): string {
    return this.#logs
      .slice(-5)
      .map((record) => JSON.stringify(record))
      .join('\n');
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

function recordOf(line: string): LogRecord {
  try {
    return JSON.parse(line) as LogRecord;
  } catch {
    return { msg: line };
  }
}

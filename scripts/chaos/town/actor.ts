import type { Process } from '../../support/process.ts';

/** A part of the town that can be killed and started again, stopped and continued. */
export interface Victim {
  readonly name: string;
  readonly isRunning: boolean;
  /** Resolves when it can be reached. @throws when it ends before */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Kills it, and lets nobody start it again. */
  end(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Ends it as an operator would. @returns what is wrong with how it ended; undefined: nothing */
  stop(): Promise<string | undefined>;
  /** What is wrong when it ended by itself; asking makes it down, so that it can be started again. */
  crash(): string | undefined;
}

export interface ActorOptions {
  readonly name: string;
  /** Begins the process. */
  readonly launch: () => Process;
  /** Resolves when it can be reached. */
  readonly ready: (process: Process) => Promise<void>;
}

/** A process that may take so long to be ready, ms: a busy machine starts several at once. */
export const START_WITHIN_MS = 30_000;

/**
 * A process of ours.
 * States: down → (launch) running ⇄ frozen → (kill, stop) down; → (end) ended, for ever. Running includes starting: it can be killed before it is ready.
 * One that is down without having been told so has crashed.
 */
export class Actor implements Victim {
  readonly name: string;
  readonly #options: ActorOptions;
  #state: 'down' | 'running' | 'frozen' | 'ended' = 'down';
  #process: Process | undefined;
  /** It could be reached since it was last started. */
  #isReady = false;

  constructor(options: ActorOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#state === 'running' && this.#process?.isOver === false;
  }

  get #isUp(): boolean {
    return this.#state === 'running' || this.#state === 'frozen';
  }

  async start(): Promise<void> {
    if (this.#state === 'ended') throw new Error(`${this.name} is not wanted any more`);
    if (this.#state !== 'down') return;
    this.#state = 'running';
    this.#isReady = false;
    const process = this.#options.launch();
    this.#process = process;
    await this.#options.ready(process);
    if (this.#process === process) this.#isReady = true;
  }

  async kill(): Promise<void> {
    if (this.#state !== 'ended') this.#state = 'down';
    await this.#process?.kill();
  }

  async end(): Promise<void> {
    this.#state = 'ended';
    await this.#process?.kill();
  }

  freeze(): void {
    if (this.#state !== 'running') return;
    this.#state = 'frozen';
    this.#process?.signal('SIGSTOP');
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'running';
    this.#process?.signal('SIGCONT');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<string | undefined> {
    const process = this.#process;
    if (!this.#isUp || process === undefined) return undefined;
    this.thaw();
    this.#state = 'down';
    const how = await process.stop(signal);
    return how === 0
      ? undefined
      : `${this.name} was told to stop and ended with ${how}: ${lastWords(process)}`;
  }

  crash(): string | undefined {
    const process = this.#process;
    if (!this.#isUp || process?.isOver !== true) return undefined;
    this.#state = 'down';
    return `${this.name} ended by itself${this.#isReady ? '' : ' at its start'}: ${lastWords(process)}`;
  }
}

function lastWords(process: Process): string {
  return process.said.slice(-5).join(' | ');
}

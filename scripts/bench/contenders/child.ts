import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A process of the benchmark's own that is asked and answers, one thing at a time. */
export class Child {
  readonly #name: string;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
  }

  /** Resolves when it has said that it is ready. */
  static async start(name: string, program: string, args: readonly string[]): Promise<Child> {
    const child = new Child(name, fork(program, args));
    await child.#answer();
    return child;
  }

  get pids(): readonly number[] {
    return this.#child.pid === undefined ? [] : [this.#child.pid];
  }

  /** @throws when it ends instead of answering */
  async ask(question: object): Promise<unknown> {
    this.#child.send(question);
    return this.#answer();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill();
    await exit;
  }

  async #answer(): Promise<unknown> {
    const waiting = new AbortController();
    try {
      return await Promise.race([
        once(this.#child, 'message', waiting).then(([message]) => message as unknown),
        once(this.#child, 'exit', waiting).then(() => {
          throw new Error(`${this.#name} ended before it was done`);
        }),
      ]);
    } finally {
      waiting.abort();
    }
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Program } from './program.ts';

const START_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 50;

/** A server that is not ours, in a process of its own, that speaks on one port. */
export class ForeignServer {
  readonly #child: ChildProcess;
  readonly #name: string;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
  }

  /** Resolves when it accepts connections. */
  static async start(
    name: string,
    { path, env }: Program,
    args: readonly string[],
    host: string,
    port: number,
  ): Promise<ForeignServer> {
    const child = spawn(path, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const failed = new Promise<never>((_resolve, reject) => child.once('error', reject));
    const server = new ForeignServer(name, child);
    await Promise.race([server.#accepts(host, port), failed]);
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill();
    await exit;
  }

  async #accepts(host: string, port: number): Promise<void> {
    const deadline = performance.now() + START_WITHIN_MS;
    for (;;) {
      const socket = connect(port, host);
      try {
        await once(socket, 'connect');
        return;
      } catch (cause) {
        if (this.#child.exitCode !== null || performance.now() > deadline)
          throw new Error(`${this.#name} does not start`, { cause });
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      } finally {
        socket.destroy();
      }
    }
  }
}

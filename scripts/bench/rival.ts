import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Contender, CpuByPart, Load, Relay, Sample } from './contender.ts';
import type { RivalName } from './rivals/main.ts';
import { cpuOver, peakRssMBOf } from './usage.ts';

const PROGRAM = join(import.meta.dirname, 'rivals', 'main.ts');

/** A rival in a process of its own, which gets its loads and answers how long they took. */
export class Rival implements Contender {
  readonly name: RivalName;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  constructor(name: RivalName, relay: Relay, connections: number) {
    this.name = name;
    this.#args = [name, relay.host, String(relay.port), String(connections)];
  }

  async start(): Promise<void> {
    const child = fork(PROGRAM, this.#args);
    this.#child = child;
    await this.#answer(child);
  }

  async round(load: Load): Promise<Sample> {
    const child = this.#child;
    if (child === undefined) throw new Error('not started');
    let seconds = 0;
    const cpuMicros = await cpuOver({ process: this.#pids() }, async () => {
      child.send(load);
      seconds = Number(await this.#answer(child));
    });
    return { mails: load.mails, seconds, cpuMicros };
  }

  peakRssMB(): CpuByPart | undefined {
    const peak = peakRssMBOf(this.#pids());
    return peak === undefined ? undefined : { process: peak };
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill();
    await exit;
  }

  async #answer(child: ChildProcess): Promise<unknown> {
    const waiting = new AbortController();
    try {
      return await Promise.race([
        once(child, 'message', waiting).then(([message]) => message as unknown),
        once(child, 'exit', waiting).then(() => {
          throw new Error(`${this.name} ended before its round was over`);
        }),
      ]);
    } finally {
      waiting.abort();
    }
  }

  #pids(): readonly number[] {
    return this.#child?.pid === undefined ? [] : [this.#child.pid];
  }
}

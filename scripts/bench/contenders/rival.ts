import { join } from 'node:path';
import type { RivalName } from '../rivals/main.ts';
import type { PoolDkim } from '../rivals/pool.ts';
import { cpuOver, peakRssMBOf } from '../usage.ts';
import { Child } from './child.ts';
import type { Contender, CpuByPart, Load, Relay, Sample } from './contender.ts';

const PROGRAM = join(import.meta.dirname, '..', 'rivals', 'main.ts');

/** A rival in a process of its own, which gets its loads and answers how long they took. */
export class Rival implements Contender {
  readonly name: string;
  readonly #args: readonly string[];
  #child: Child | undefined;

  constructor(name: RivalName, relay: Relay, connections: number, dkim?: PoolDkim) {
    this.name = dkim === undefined ? name : `${name}-rsa`;
    const further = dkim === undefined ? [] : [JSON.stringify(dkim)];
    this.#args = [name, relay.host, String(relay.port), String(connections), ...further];
  }

  async start(): Promise<void> {
    this.#child = await Child.start(this.name, PROGRAM, this.#args);
  }

  async round(load: Load): Promise<Sample> {
    const child = this.#child;
    if (child === undefined) throw new Error('not started');
    let seconds = 0;
    const cpuMicros = await cpuOver({ process: child.pids }, async () => {
      seconds = Number(await child.ask(load));
    });
    return { mails: load.mails, seconds, cpuMicros };
  }

  peakRssMB(): CpuByPart | undefined {
    const peak = peakRssMBOf(this.#child?.pids ?? []);
    return peak === undefined ? undefined : { process: peak };
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, Part } from './menu.ts';
import type { TcpProxy } from './network/tcp-proxy.ts';
import type { Town } from './town/town.ts';

/** Carries faults out. */
export class Inflictor {
  readonly #town: Town;
  #inFlightAtKills = 0;
  #inFlightAtFreezes = 0;

  constructor(town: Town) {
    this.#town = town;
  }

  /** Mails that killed workers and sinks had under way, at the moment before. */
  get inFlightAtKills(): number {
    return this.#inFlightAtKills;
  }

  /** Mails that stopped workers had under way. */
  get inFlightAtFreezes(): number {
    return this.#inFlightAtFreezes;
  }

  /** Resolves when the fault is over; a killed process has been launched again by then, and may be starting. */
  async inflict(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'kill':
        return this.#kill(fault.part, fault.index, fault.forMs);
      case 'freeze':
        return this.#freeze(fault.part, fault.index, fault.forMs);
      case 'cut-after-dot':
        return this.#town.cutAfterDot(fault.index, fault.times);
      case 'greet':
        return this.#greet(this.#proxy('worker-relay', fault.index), fault.reply, fault.forMs);
      case 'cut':
        return this.#proxy(fault.link, fault.index).cut();
      case 'half-close':
        return this.#proxy(fault.link, fault.index).halfClose(fault.side);
      case 'delay': {
        const proxy = this.#proxy(fault.link, fault.index);
        proxy.setWeather({ delayMs: fault.byMs });
        await pause(fault.forMs);
        return proxy.setWeather({ delayMs: 0 });
      }
      case 'stall': {
        const proxy = this.#proxy(fault.link, fault.index);
        proxy.setWeather({ isStalled: true });
        await pause(fault.forMs);
        if (fault.cut) proxy.cut();
        return proxy.setWeather({ isStalled: false });
      }
      default:
        return fault satisfies never;
    }
  }

  async #kill(part: Part, index: number, forMs: number): Promise<void> {
    const actor = this.#town.actors[part][index];
    if (actor === undefined) return;
    this.#inFlightAtKills += this.#town.inFlightOf(part, index);
    await actor.kill();
    await pause(forMs);
    // It may be killed again before it is ready; whether everybody is there in the end is seen then.
    actor.start().catch(() => {});
  }

  async #freeze(part: Part, index: number, forMs: number): Promise<void> {
    const actor = this.#town.actors[part][index];
    if (actor === undefined) return;
    this.#inFlightAtFreezes += this.#town.inFlightOf(part, index);
    actor.freeze();
    await pause(forMs);
    actor.thaw();
  }

  async #greet(proxy: TcpProxy, reply: string, forMs: number): Promise<void> {
    proxy.answerInstead(reply);
    // Lines that are open would spare everybody the greeting.
    proxy.cut();
    await pause(forMs);
    proxy.answerInstead(undefined);
  }

  #proxy(link: keyof Town['links'], index: number): TcpProxy {
    const proxy = this.#town.links[link][index];
    if (proxy === undefined) throw new Error(`there is no ${link}-${index + 1}`);
    return proxy;
  }
}

/** Keeps nobody from ending. */
async function pause(ms: number): Promise<void> {
  await sleep(ms, undefined, { ref: false });
}

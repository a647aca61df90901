import { onTestFinished } from 'vitest';
import type { Observer } from '../../../scripts/chaos/network/tcp-proxy.ts';
import { TcpProxy } from '../../../scripts/chaos/network/tcp-proxy.ts';
import { freePort } from '../../support/free-port.ts';
import type { Town } from './town.ts';
import type { TownServer } from './town-server.ts';

/** Two servers, and a line between their sides over which everything goes that one side says to the other: peers and lent workers. */
export class Frontier {
  readonly near: TownServer;
  readonly far: TownServer;
  readonly #toNear: TcpProxy;
  readonly #toFar: TcpProxy;
  readonly #passes: Passes;

  /** `near` knows of nobody, `far` of `near`. */
  static async between(town: Town, args: { near?: readonly string[]; far?: readonly string[] } = {}) {
    const passes: Passes = { toNear: true, toFar: true };
    const ports = { near: await freePort(), far: await freePort() };
    const lineTo = async (side: 'near' | 'far'): Promise<TcpProxy> => {
      const [there, back] = side === 'near' ? (['toNear', 'toFar'] as const) : (['toFar', 'toNear'] as const);
      const observe = (): Observer => ({
        fromCaller: () => passes[there],
        fromCalled: () => passes[back],
        ended: () => {},
      });
      const proxy = await TcpProxy.open({ target: () => ports[side], observe });
      onTestFinished(() => proxy.close());
      return proxy;
    };
    const [toNear, toFar] = [await lineTo('near'), await lineTo('far')];
    const near = await town.server({
      port: ports.near,
      args: ['--advertise', `127.0.0.1:${toNear.port}`, ...(args.near ?? [])],
    });
    const far = await town.server({
      port: ports.far,
      args: [
        ...['--advertise', `127.0.0.1:${toFar.port}`, '--peer', `ws://127.0.0.1:${toNear.port}`],
        ...(args.far ?? []),
      ],
    });
    const frontier = new Frontier(near, far, toNear, toFar, passes);
    await frontier.areAlive();
    return frontier;
  }

  private constructor(near: TownServer, far: TownServer, toNear: TcpProxy, toFar: TcpProxy, passes: Passes) {
    this.near = near;
    this.far = far;
    this.#toNear = toNear;
    this.#toFar = toFar;
    this.#passes = passes;
  }

  /** Nothing passes; what is said is held, and arrives when it is open again. */
  shut(): void {
    for (const proxy of [this.#toNear, this.#toFar]) proxy.setWeather({ isStalled: true });
  }

  /** Whatever goes this way is lost; the other way is open. */
  lose(way: keyof Passes): void {
    this.#passes[way] = false;
  }

  /** Everything passes again. Lines of which something was lost are cut: their bytes make no sense any more. */
  open(): void {
    const isTorn = !this.#passes.toNear || !this.#passes.toFar;
    this.#passes.toNear = true;
    this.#passes.toFar = true;
    for (const proxy of [this.#toNear, this.#toFar]) {
      proxy.setWeather({ isStalled: false });
      if (isTorn) proxy.cut();
    }
  }

  /** Waits until both see each other. */
  async areAlive(): Promise<void> {
    for (const server of [this.near, this.far])
      await server.until('it sees its peer', ({ mesh: { peers } }) => peers[0]?.state === 'alive');
  }
}

interface Passes {
  toNear: boolean;
  toFar: boolean;
}

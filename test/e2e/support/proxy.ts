import { onTestFinished } from 'vitest';
import { type ProxyOptions, TcpProxy } from '../../../scripts/chaos/network/tcp-proxy.ts';

/** A line to a port of this machine that the test can spoil; it closes with the test. */
export async function proxyTo(port: number, observe?: ProxyOptions['observe']): Promise<TcpProxy> {
  const proxy = await TcpProxy.open({ target: () => port, ...(observe === undefined ? {} : { observe }) });
  onTestFinished(() => proxy.close());
  return proxy;
}

export const portOf = (url: string): number => Number(new URL(url).port);

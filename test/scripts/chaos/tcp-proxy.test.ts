import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TcpProxy } from '../../../scripts/chaos/network/tcp-proxy.ts';
import { until } from '../../support/until.ts';

/** A server that says back what it hears, and a proxy before it. */
async function echoBehindProxy() {
  const calls: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    calls.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => socket.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target: { port: number | undefined } = { port: (server.address() as AddressInfo).port };
  const proxy = await TcpProxy.open({ target: () => target.port });
  onTestFinished(async () => {
    await proxy.close();
    for (const call of calls) call.destroy();
    server.close();
  });
  return { proxy, calls, target };
}

/** A caller that keeps what it hears. */
function call(proxy: TcpProxy) {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  const heard = { text: '', isEnded: false, isClosed: false };
  socket.on('data', (bytes) => {
    heard.text += bytes.toString();
  });
  socket.on('end', () => {
    heard.isEnded = true;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    heard.isClosed = true;
  });
  onTestFinished(() => void socket.destroy());
  return { socket, heard };
}

describe('a proxy', () => {
  it('brings all bytes both ways, in order, also when they come late', async () => {
    const { proxy } = await echoBehindProxy();
    const { socket, heard } = call(proxy);
    const long = 'x'.repeat(3_000_000);
    socket.write('one ');
    await until('the first word', () => heard.text === 'one ');
    proxy.setWeather({ delayMs: 30 });
    socket.write('two ');
    socket.write(long);
    proxy.setWeather({ delayMs: 0 });
    socket.write(' end');
    await until('everything', () => heard.text.length === 'one two  end'.length + long.length);
    expect(heard.text).toBe(`one two ${long} end`);
  });

  it('holds everything while it is stalled', async () => {
    const { proxy } = await echoBehindProxy();
    const { socket, heard } = call(proxy);
    const other = call(proxy);
    proxy.setWeather({ isStalled: true });
    socket.write('held');
    other.socket.write('held');
    // A line of another kind has passed meanwhile.
    const free = await echoBehindProxy();
    const witness = call(free.proxy);
    witness.socket.write('free');
    await until('the witness', () => witness.heard.text === 'free');
    expect(heard.text + other.heard.text).toBe('');
    proxy.setWeather({ isStalled: false });
    await until('both', () => heard.text === 'held' && other.heard.text === 'held');
  });

  it('cuts every line', async () => {
    const { proxy, calls } = await echoBehindProxy();
    const { socket, heard } = call(proxy);
    socket.write('hello');
    await until('an answer', () => heard.text === 'hello');
    proxy.cut();
    await until('the end on both sides', () => heard.isClosed && calls.every((one) => one.destroyed));
  });

  it('tells one side only that the other has ended, and brings on what that one says', async () => {
    const { proxy, calls } = await echoBehindProxy();
    const { socket, heard } = call(proxy);
    socket.write('hello');
    await until('an answer', () => heard.text === 'hello');
    let reached = '';
    calls[0]?.on('data', (bytes) => {
      reached += bytes.toString();
    });
    proxy.halfClose('caller');
    await until('the end', () => heard.isEnded);
    socket.write('still here');
    await until('the words behind it', () => reached === 'still here');
    expect(heard.text).toBe('hello');
  });

  it('says something else instead, or nothing at all', async () => {
    const { proxy, calls } = await echoBehindProxy();
    proxy.answerInstead('421 busy\r\n');
    const refused = call(proxy);
    await until('the refusal', () => refused.heard.isEnded);
    proxy.answerInstead('');
    const ignored = call(proxy);
    await until('the end', () => ignored.heard.isEnded || ignored.heard.isClosed);
    expect([refused.heard.text, ignored.heard.text, calls.length]).toEqual(['421 busy\r\n', '', 0]);
  });

  it('cuts callers off while nobody is behind it', async () => {
    const { proxy, target } = await echoBehindProxy();
    for (const port of [undefined, 1]) {
      target.port = port;
      const { heard } = call(proxy);
      await until('the end', () => heard.isClosed);
    }
  });

  it('passes on that one side has gone', async () => {
    const { proxy, calls } = await echoBehindProxy();
    const { socket, heard } = call(proxy);
    socket.write('hello');
    await until('an answer', () => heard.text === 'hello');
    calls[0]?.resetAndDestroy();
    await until('the caller knows', () => heard.isClosed);
    const second = call(proxy);
    second.socket.write('hello');
    await until('an answer', () => second.heard.text === 'hello');
    second.socket.destroy();
    await until('the server knows', () => calls[1]?.readableEnded === true || calls[1]?.destroyed === true);
  });
});

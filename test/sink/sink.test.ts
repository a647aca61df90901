import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { SinkStartError } from '../../sink/errors.ts';
import { startSink } from '../../sink/sink.ts';
import { greetedClient, rawClient, sinkFor, transaction } from './support.ts';

describe('a sink', () => {
  it('counts what it accepts, in the report and per recipient', async () => {
    const sink = await sinkFor({ keepMessages: true });
    const client = await greetedClient(sink);
    client.write(`${transaction('ana@x')}${transaction('bob@x')}${transaction('ana@x')}QUIT\r\n`);
    await client.untilClosed();
    expect(sink.report()).toMatchObject({
      connections: 1,
      messages: 3,
      uniqueRecipients: 2,
      duplicates: 1,
      refused: 0,
      peakConnections: 1,
    });
    expect(sink.deliveries.count('ana@x', 'ana@x')).toBe(2);
    expect(sink.messages.map((message) => message.to)).toEqual([['ana@x'], ['bob@x'], ['ana@x']]);
    expect(sink.messages[0]?.content.toString()).toBe(
      'Message-ID: <ana@x>\r\nSubject: Test\r\n\r\nHello\r\n',
    );
  });

  it('tells a listener of every message', async () => {
    const seen: string[] = [];
    const sink = await sinkFor({}, { message: (message) => seen.push(message.messageId) });
    const client = await greetedClient(sink);
    client.write(transaction('ana@x'));
    await client.untilCodes(6);
    expect(seen).toEqual(['<ana@x>']);
  });

  it('refuses to start on a port in use, and says so', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const failure = await startSink({ port }).catch((error: unknown) => error);
    other.close();
    expect(failure).toBeInstanceOf(SinkStartError);
    expect(failure).toMatchObject({ code: 'SINK_PORT_IN_USE' });
    expect(String(failure)).toContain('in use');
  });

  it('refuses an option that is wrong, naming it and what is allowed', async () => {
    const failure = await startSink({ port: 70_000 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'SINK_OPTIONS', key: 'port' });
    expect(String(failure)).toMatch(/port = 70000.*65535/);
  });

  it('sends connections beyond its limit away with 421, and takes new ones when others end', async () => {
    const sink = await sinkFor({ maxConnections: 1 });
    const first = await greetedClient(sink);
    const second = rawClient(sink);
    await second.untilClosed();
    expect(second.codes).toEqual([421]);
    first.write('QUIT\r\n');
    await first.untilClosed();
    await expect.poll(() => sink.report().openConnections).toBe(0);
    await greetedClient(sink);
    expect(sink.report()).toMatchObject({ connections: 2, connectionsRefused: 1 });
  });

  it('goes down, breaking its connections, and comes up on the same port with its counts', async () => {
    const sink = await sinkFor();
    const { port } = sink;
    const client = await greetedClient(sink);
    client.write(transaction('ana@x'));
    await client.untilCodes(6);
    await sink.down();
    await sink.down();
    await client.untilClosed();
    const refused = rawClient(sink);
    await refused.untilClosed();
    expect(refused.text).toBe('');
    await sink.up();
    await sink.up();
    expect(sink.port).toBe(port);
    const again = await greetedClient(sink);
    again.write(transaction('ana@x'));
    await again.untilCodes(6);
    expect(sink.report()).toMatchObject({ messages: 2, duplicates: 1, timesDown: 1 });
  });

  it('goes down and up by itself when told', async () => {
    const changes: string[] = [];
    await sinkFor(
      { downEvery: 0.05, downFor: 0.05 },
      { down: () => changes.push('down'), up: () => changes.push('up') },
    );
    await expect.poll(() => changes.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(4);
    expect(changes.slice(0, 4)).toEqual(['down', 'up', 'down', 'up']);
  });

  it('stops for good, however often it is told, with connections open', async () => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    await Promise.all([sink.stop(), sink.stop()]);
    await sink.stop();
    await sink.up();
    await client.untilClosed();
    const late = rawClient(sink);
    await late.untilClosed();
    expect(late.text).toBe('');
  });
});

describe('a sink at a distance', () => {
  it('answers in order, and not before its latency', async () => {
    const latencyMs = 100;
    const sink = await sinkFor({ latencyMs });
    const client = await greetedClient(sink);
    const before = performance.now();
    for (let index = 0; index < 10; index += 1) {
      client.write('NOOP\r\nRCPT TO:<a@b>\r\n');
      await new Promise((resolve) => setImmediate(resolve));
    }
    const codes = await client.untilCodes(22);
    expect(codes.slice(2)).toEqual(Array(10).fill([250, 503]).flat());
    expect(performance.now() - before).toBeGreaterThanOrEqual(latencyMs - 1);
  });

  it('closes only after what it said has arrived', async () => {
    const sink = await sinkFor({ latencyMs: 20 });
    const client = await greetedClient(sink);
    client.write('NOOP\r\nQUIT\r\n');
    await client.untilClosed();
    expect(client.codes.slice(2)).toEqual([250, 221]);
  });
});

describe('a sink with a rate', () => {
  it('makes clients wait by default', async () => {
    const sink = await sinkFor({ rate: 50 });
    const client = await greetedClient(sink);
    const before = performance.now();
    client.write(Array.from({ length: 11 }, (_, index) => transaction(`r${index}@x`)).join(''));
    await client.untilCodes(2 + 44);
    expect(performance.now() - before).toBeGreaterThanOrEqual(10 * (1000 / 50) - 1);
    expect(sink.report()).toMatchObject({ messages: 11, refused: 0 });
  });

  it('refuses what is beyond when told', async () => {
    const sink = await sinkFor({ rate: 10, rateAction: 'refuse' });
    const client = await greetedClient(sink);
    client.write(`MAIL FROM:<a@b>\r\n${'RCPT TO:<c@d>\r\n'.repeat(20)}`);
    const codes = await client.untilCodes(23);
    expect(codes.at(-1)).toBe(451);
    expect(client.lines.at(-1)).toContain('4.7.0');
    expect(sink.report().refused).toBeGreaterThan(10);
  });
});

it('refuses by chance, the same for the same seed', async () => {
  const codesFor = async (seed: number): Promise<number[]> => {
    const sink = await sinkFor({ refuseRate: 0.5, seed });
    const client = await greetedClient(sink);
    client.write(`MAIL FROM:<a@b>\r\n${'RCPT TO:<c@d>\r\n'.repeat(50)}`);
    return client.untilCodes(53);
  };
  const first = await codesFor(3);
  expect(new Set(first.slice(3))).toEqual(new Set([250, 451]));
  expect(await codesFor(3)).toEqual(first);
  expect(await codesFor(4)).not.toEqual(first);
});

it('takes messages of clients that send much faster than they read', async () => {
  const sink = await sinkFor();
  const client = await greetedClient(sink);
  client.socket.pause();
  const total = 20_000;
  const one = transaction('ana@x');
  for (let index = 0; index < total; index += 1_000) client.write(one.repeat(1_000));
  client.socket.resume();
  await client.until(() => sink.report().messages === total && client.text.length > total * 40);
  expect(sink.report().duplicates).toBe(total - 1);
});

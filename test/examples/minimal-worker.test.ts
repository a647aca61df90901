import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import PostalMime from 'postal-mime';
import { expect, onTestFinished, test } from 'vitest';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import {
  parseFromWorker,
  parseObject,
  type ServerToWorker,
  type WorkerToServer,
} from '../../protocol/index.ts';
import { type Sink, startSink } from '../../sink/sink.ts';

const WORKER = fileURLToPath(new URL('../../examples/minimal-worker.mjs', import.meta.url));
const DEADLINE = { timeout: 10_000 };

/** A server that hears one worker and says what the test tells it to. */
class OneWorkerServer {
  readonly heard: WorkerToServer[] = [];
  connections = 0;
  readonly #sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  #worker: WebSocket | undefined;

  async start(): Promise<this> {
    await new Promise((resolve) => this.#sockets.once('listening', resolve));
    this.#sockets.on('connection', (socket) => {
      this.connections++;
      this.#worker = socket;
      socket.on('message', (data) => this.#take(data));
    });
    onTestFinished(async () => {
      this.cut();
      await new Promise((resolve) => this.#sockets.close(resolve));
    });
    return this;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#sockets.address() as { port: number }).port}`;
  }

  say(message: ServerToWorker): void {
    this.#worker?.send(JSON.stringify(message));
  }

  cut(): void {
    this.#worker?.terminate();
  }

  #take(data: RawData): void {
    const keys = parseObject(data.toString());
    const parsed = keys.ok ? parseFromWorker(keys.message) : keys;
    if (!parsed.ok) throw new Error(parsed.error.message);
    this.heard.push(parsed.message);
  }
}

async function relay(): Promise<Sink> {
  const sink = await startSink({ port: 0, keepMessages: true });
  onTestFinished(() => sink.stop());
  return sink;
}

function startWorker(server: string, ...args: string[]): void {
  const worker = spawn(process.execPath, [WORKER, server, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => worker.once('close', resolve));
  onTestFinished(async () => {
    worker.kill();
    await ended;
  });
}

function task(sink: Sink, ...addresses: string[]): ServerToWorker {
  return {
    TASK: 'SEND',
    TASK_UUID: 'task-1',
    BATCH_UUID: 'batch-1',
    WORKER_UUID: 'worker-1',
    LEASE_S: 60,
    DATE: '2026-01-01T12:00:00.000Z',
    MESSAGE: {
      FROM: 'News <news@example.org>',
      SUBJECT: 'Hello {{name}}',
      TEXT: '{{ name }} of {{city}}{{nothing}}',
      HTML: '<p>{{name}}',
    },
    RELAY: { NAME: 'mx', HOST: sink.host, PORT: sink.port, SECURE: false },
    RECIPIENTS: addresses.map((ADDRESS, SEQ) => ({
      SEQ,
      ADDRESS,
      NAME: `Ann <${SEQ}>`,
      VARIABLES: { city: 'Rome' },
      MESSAGE_ID: `<batch-1.${SEQ}@example.org>`,
    })),
  };
}

test('it is small, and imports nothing but ws and nodemailer', () => {
  const source = readFileSync(WORKER, 'utf8');
  expect([...source.matchAll(/from '([^']+)'/g)].map(([, name]) => name)).toEqual(['nodemailer', 'ws']);
  expect(source.split('\n').length).toBeLessThan(75);
});

test('it says ALIVE, sends its task, says OK, and asks for more after the ACK', async () => {
  const sink = await relay();
  const server = await new OneWorkerServer().start();
  startWorker(server.url, 'token-of-workers');
  await expect.poll(() => server.heard, DEADLINE).toEqual([{ WORKER: 'ALIVE', TOKEN: 'token-of-workers' }]);
  server.say({ TASK: 'NO_TASK' });
  await expect.poll(() => server.heard.length, DEADLINE).toBe(2);
  server.say(task(sink, 'ann@example.net', 'rui@example.net'));
  await expect
    .poll(() => server.heard[2], DEADLINE)
    .toEqual({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: 'task-1' });
  server.say({ STATUS: 'ACK', TASK_UUID: 'task-1' });
  await expect.poll(() => server.heard[3], DEADLINE).toMatchObject({ WORKER: 'ALIVE' });

  expect(sink.report()).toMatchObject({ messages: 2, uniqueRecipients: 2, duplicates: 0 });
  const mail = await PostalMime.parse(sink.messages[0]?.content ?? '');
  expect(mail).toMatchObject({
    subject: 'Hello Ann <0>',
    messageId: '<batch-1.0@example.org>',
    from: { address: 'news@example.org' },
  });
  expect(mail.text?.trim()).toBe('Ann <0> of Rome');
  expect(mail.html?.trim()).toBe('<p>Ann &#60;0&#62;');
});

test('it says NOK with the reason when the relay refuses, and asks for more', async () => {
  const sink = await relay();
  const server = await new OneWorkerServer().start();
  startWorker(server.url);
  await expect.poll(() => server.heard.length, DEADLINE).toBe(1);
  server.say(task(sink, '5xx-ann@example.net'));
  await expect
    .poll(() => server.heard[1], DEADLINE)
    .toMatchObject({ STATUS: 'NOK', TASK_UUID: 'task-1', ERROR: expect.stringContaining('550') });
  server.say({ STATUS: 'ACK', TASK_UUID: 'task-1' });
  await expect.poll(() => server.heard[2], DEADLINE).toMatchObject({ WORKER: 'ALIVE' });
});

test('it comes back when the connection breaks', async () => {
  const server = await new OneWorkerServer().start();
  startWorker(server.url);
  await expect.poll(() => server.heard.length, DEADLINE).toBe(1);
  server.cut();
  await expect.poll(() => [server.connections, server.heard.length], DEADLINE).toEqual([2, 2]);
});

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { expectExactlyOnce, Town } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

/** A program of another make: it knows JSON over WebSocket and nothing of ours. */
class Stranger {
  readonly heard: Record<string, unknown>[] = [];
  readonly #socket: WebSocket;
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.heard.push(JSON.parse(String(data)));
      this.#wake();
    });
  }

  static async at(server: TownServer): Promise<Stranger> {
    const socket = new WebSocket(server.url);
    onTestFinished(() => socket.terminate());
    const stranger = new Stranger(socket);
    await once(socket, 'open');
    return stranger;
  }

  say(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** The next message, or the next of a kind; the test's own deadline ends a wait in vain. */
  async hears(task?: string): Promise<Record<string, unknown>> {
    for (;;) {
      const message = this.heard.shift();
      if (message === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else if (task === undefined || message.TASK === task) return message;
    }
  }
}

describe('a worker of another make', { timeout: 60_000 }, () => {
  test('is served: the example of forty lines sends a batch through a relay, each mail once', async () => {
    const town = await Town.raise();
    const sink = await town.sink({ keepMessages: true });
    const server = await town.server();
    town.run('minimal worker', 'examples/minimal-worker.mjs', [server.url]);
    await server.process.logged('worker connected');
    const batch = await town.submit(server, 120, { html: '<p>Dear <b>{{name}}</b></p>' });
    expect((await town.finished(batch)).counts.sent).toBe(120);
    expectExactlyOnce(await town.account(batch));
    const mail = sink.messages.find(({ to }) => to[0] === 'person7@example.net')?.content.toString();
    expect(mail).toMatch(/^Subject: Hello Person 7\r$/m);
    expect(mail).toContain('Dear Person 7,');
    expect(mail).toContain('<p>Dear <b>Person 7</b></p>');
  });

  test('whose NOK speaks for the whole task gets it again later', async () => {
    const town = await Town.raise();
    const server = await town.server({ relays: ['smtp://127.0.0.1:9?name=nobody'] });
    const worker = await Stranger.at(server);
    worker.say({ WORKER: 'ALIVE' });
    const batch = await town.submit(server, 3);
    const task = await worker.hears();
    expect(task).toMatchObject({
      TASK: 'SEND',
      MESSAGE: { SUBJECT: 'Hello {{name}}' },
      RELAY: { HOST: '127.0.0.1', PORT: 9 },
    });
    expect((task.RECIPIENTS as { ADDRESS: string }[])[0]?.ADDRESS).toBe('person0@example.net');
    const about = { TASK: 'SEND', TASK_UUID: task.TASK_UUID };
    worker.say({ STATUS: 'NOK', ERROR: 'my printer is on fire', ...about });
    expect(await worker.hears()).toEqual({ STATUS: 'ACK', TASK_UUID: task.TASK_UUID });
    const { counts } = await (await server.client()).batch(batch.id);
    expect(counts).toMatchObject({ total: 3, sent: 0, failed: 0, leased: 0 });
    worker.say({ WORKER: 'ALIVE', WORKER_UUID: 'knitting-machine-1' });
    const again = await worker.hears();
    expect(again).toMatchObject({ TASK: 'SEND', BATCH_UUID: batch.id });
    worker.say({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: again.TASK_UUID });
    expect(await worker.hears()).toEqual({ STATUS: 'ACK', TASK_UUID: again.TASK_UUID });
    const { counts: afterwards } = await (await server.client()).batch(batch.id);
    expect(afterwards.sent).toBe((again.RECIPIENTS as unknown[]).length);
  });
});

describe('a peer of another make', { timeout: 60_000 }, () => {
  test('is answered in the dialect of its heartbeat', async () => {
    const town = await Town.raise();
    const server = await town.server();
    const one = await Stranger.at(server);
    one.say({ SERVER: 'ALIVE', TASK: 'REQUEST' });
    expect(await one.hears()).toMatchObject({ SERVER: 'ALIVE', TASK: 'RECIEVE' });
    const other = await Stranger.at(server);
    other.say({ SERVER_UUID: 'a-peer-of-clay', TASK: 'HEARTBEAT' });
    expect(await other.hears()).toMatchObject({
      TASK: 'HEARTBEAT',
      RESPONSE: 'ALIVE',
      SERVER_UUID: expect.stringMatching(/./),
    });
    await server.until('it is a peer', ({ mesh: { peers } }) =>
      peers.some(({ server, state }) => server === 'a-peer-of-clay' && state === 'alive'),
    );
  });

  test('may borrow a worker, which shows its ticket there, and sends it home', async () => {
    const town = await Town.raise();
    const server = await town.server({ args: ['--keep-home', '0'] });
    const worker = await town.worker(server);
    await server.until('its worker is idle', ({ workers }) => workers.some(({ idle }) => idle));
    const house = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => house.close());
    await once(house, 'listening');
    const { port } = house.address() as AddressInfo;

    const peer = await Stranger.at(server);
    peer.say({ SERVER_UUID: 'a-peer-of-clay', TASK: 'HEARTBEAT' });
    expect(await peer.hears()).toMatchObject({ RESPONSE: 'ALIVE' });
    const guestComes = once(house, 'connection') as Promise<[WebSocket]>;
    peer.say({
      SERVER_UUID: 'a-peer-of-clay',
      TASK: 'WORKER_REQUEST',
      WORKERS_NEEDED: 1,
      REQUESTOR_INFO: { IP: '127.0.0.1', PORT: port },
    });
    const answer = await peer.hears('WORKER_RESPONSE');
    expect(answer).toMatchObject({ STATUS: 'ACK', MASTER: server.url.replace('ws://', '') });

    const guest = new Stranger((await guestComes)[0]);
    expect(await guest.hears()).toMatchObject({
      WORKER: 'ALIVE',
      WORKER_UUID: (answer.WORKERS as string[])[0],
      SERVER_UUID: (await server.account()).uuid,
      TICKET: expect.any(String),
    });
    guest.say({ TASK: 'RETURN', SERVER_RETURN: { IP: '127.0.0.1', PORT: Number(new URL(server.url).port) } });
    await worker.logged('goes home');
    const { mesh } = await server.until('it is home', ({ mesh: { lent }, workersTotal }) => {
      return lent.length === 0 && workersTotal === 1;
    });
    expect(mesh.totals).toEqual({ made: 1, returned: 1, lost: 0 });
  });
});

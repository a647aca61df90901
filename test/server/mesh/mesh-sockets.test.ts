import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { endpointUrl, MAX_BAD_FRAMES } from '../../../protocol/index.ts';
import { systemClock } from '../../../server/mesh/ports.ts';
import { signTicket, ticketKey } from '../../../server/mesh/ticket.ts';
import { SocketNetwork } from './socket-network.ts';
import { type Site, World } from './world.ts';

const TOKEN = 'a mesh token';
/** Fast enough for a test; the proportions are those of the defaults. */
const FAST = {
  heartbeatMs: 100,
  suspectAfterMs: 1_000,
  deadAfterMs: 2_500,
  minLoanMs: 300,
  settleMs: 100,
  coolDownMs: 500,
};

let network: SocketNetwork;
let world: World;
const raw: WebSocket[] = [];

beforeEach(() => {
  network = new SocketNetwork(TOKEN);
  world = new World(systemClock, network);
});

afterEach(async () => {
  for (const socket of raw.splice(0)) socket.terminate();
  await world.stop();
  await network.close();
});

async function until(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`in vain waited until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function serve(options: Parameters<World['addServer']>[0] = {}): Promise<Site> {
  return world.addServer({ token: TOKEN, ...options, settings: { ...FAST, ...options.settings } });
}

const livePeersOf = (site: Site) =>
  site.mesh.snapshot().peers.filter((peer) => peer.state === 'alive').length;

/** A peer of another make: it knows nothing but text frames. */
async function minimalPeer(site: Site): Promise<{
  say: (message: object | string) => void;
  hear: () => Promise<Record<string, unknown>>;
  unheard: () => readonly Record<string, unknown>[];
  socket: WebSocket;
}> {
  const socket = new WebSocket(endpointUrl(site.address), { headers: { authorization: `Bearer ${TOKEN}` } });
  raw.push(socket);
  const heard: Record<string, unknown>[] = [];
  socket.on('message', (data) => heard.push(JSON.parse(data.toString()) as Record<string, unknown>));
  await once(socket, 'open');
  return {
    socket,
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    unheard: () => heard,
    hear: async () => {
      await until('the server answers', () => heard.length > 0);
      return heard.shift() as Record<string, unknown>;
    },
  };
}

test('three servers that know one of them become a mesh, lend, and give back', async () => {
  const a = await serve({ workers: 2 });
  const b = await serve({ workers: 2, peers: [a.address] });
  const c = await serve({ workers: 2, peers: [a.address] });
  await until('everybody knows everybody', () => [a, b, c].every((site) => livePeersOf(site) === 2));
  for (const worker of world.workers) worker.rate = 1_000;

  a.submit(4_000);
  await until('the idle neighbours are there', () => a.connected.size === 4);
  expect(b.connected.size).toBe(1);
  await until('all is done', () => a.settled === 4_000);
  await until('all are home', () => [a, b, c].every((site) => site.connected.size === 2));
  await until('the ledgers are closed', () => b.store.totals.returned === 1 && c.store.totals.returned === 1);
  expect(a.mesh.snapshot().peers[0]?.latencyMs).toBeGreaterThanOrEqual(0);
});

describe('a minimal peer', () => {
  test('of the first dialect is answered, and is no member', async () => {
    const site = await serve();
    const peer = await minimalPeer(site);
    for (let i = 0; i < 2; i += 1) {
      peer.say({ SERVER: 'ALIVE', TASK: 'REQUEST' });
      expect(await peer.hear()).toMatchObject({ SERVER: 'ALIVE', TASK: 'RECIEVE', SERVER_UUID: site.uuid });
    }
    expect(site.mesh.snapshot().peers).toEqual([]);
    const member = await minimalPeer(site);
    member.say({ SERVER: 'ALIVE', TASK: 'REQUEST', SERVER_UUID: 'minimal-1' });
    for (let i = 0; i < 3; i += 1) expect(await member.hear()).toHaveProperty('SERVER', 'ALIVE');
    expect(peer.unheard()).toEqual([]);
  });

  test('of the second dialect is answered in it, and asked in it', async () => {
    const site = await serve();
    const peer = await minimalPeer(site);
    peer.say({ SERVER_UUID: 'minimal-1', TASK: 'HEARTBEAT' });
    expect(await peer.hear()).toMatchObject({ SERVER_UUID: site.uuid, TASK: 'HEARTBEAT', RESPONSE: 'ALIVE' });
    const beat = await peer.hear();
    expect(beat).toMatchObject({ SERVER_UUID: site.uuid, TASK: 'HEARTBEAT' });
    expect(beat).not.toHaveProperty('RESPONSE');
    expect(site.mesh.snapshot().peers).toMatchObject([{ server: 'minimal-1', state: 'alive' }]);
  });

  test('that has only an address can borrow a worker, and is told when it is home', async () => {
    const site = await serve({ workers: 2 });
    const peer = await minimalPeer(site);
    peer.say({ TASK: 'WORKER_REQUEST', WORKERS_NEEDED: 5, REQUESTOR_INFO: { IP: '127.0.0.1', PORT: 1 } });
    const answer = await peer.hear();
    expect(answer).toMatchObject({
      TASK: 'WORKER_RESPONSE',
      STATUS: 'ACK',
      MASTER: `127.0.0.1:${site.address.PORT}`,
    });
    expect(answer.WORKERS).toHaveLength(1);
    expect(site.redirects[0]?.message).toMatchObject({
      TASK: 'REDIRECT',
      TARGET_MASTER: { IP: '127.0.0.1', PORT: 1 },
      HOME_MASTER: site.address,
      FAILOVER_LIST: [site.address],
    });
    await until('the worker, which found nobody, is home', () => site.store.totals.returned === 1);
  });

  test('that has no address gets a NACK with the reason', async () => {
    const site = await serve({ workers: 2 });
    const peer = await minimalPeer(site);
    peer.say({ TASK: 'WORKER_REQUEST', WORKERS_NEEDED: 1 });
    expect(await peer.hear()).toMatchObject({ STATUS: 'NACK', WORKERS: [], REASON: 'NO_ADDRESS' });
  });

  test('that asks for workers which it does not have gets an empty acknowledgement', async () => {
    const site = await serve();
    const peer = await minimalPeer(site);
    peer.say({ SERVER_UUID: 'minimal-1', TASK: 'COMMAND_RELEASE', WORKERS_UUID: ['nobody'] });
    expect(await peer.hear()).toMatchObject({
      TASK: 'COMMAND_RELEASE',
      RESPONSE: 'RELEASE_ACK',
      WORKERS_UUID: [],
    });
  });

  test('that talks nonsense is told so, and in the end left', async () => {
    const site = await serve();
    const peer = await minimalPeer(site);
    peer.say({ SERVER: 'ALIVE', TASK: 'REQUEST' });
    await peer.hear();
    peer.say('nonsense');
    expect(await peer.hear()).toMatchObject({ STATUS: 'NACK', ERROR: { CODE: 'NOT_JSON' } });
    const closed = once(peer.socket, 'close');
    for (let i = 1; i < MAX_BAD_FRAMES; i += 1) peer.say({ TASK: 'WORKER_REQUEST', WORKERS_NEEDED: 'many' });
    expect(await closed).toMatchObject([1008, expect.anything()]);
  });

  test('that changes its name within a connection is left', async () => {
    const site = await serve();
    const peer = await minimalPeer(site);
    peer.say({ SERVER_UUID: 'minimal-1', TASK: 'HEARTBEAT' });
    const closed = once(peer.socket, 'close');
    peer.say({ SERVER_UUID: 'minimal-2', TASK: 'HEARTBEAT' });
    expect(await closed).toMatchObject([1008, expect.anything()]);
  });
});

test('a server that uses the second dialect only can be dialled', async () => {
  const address = await network.freeAddress();
  const beats: object[] = [];
  const close = await network.listen(address, (connection, first) => {
    const answer = (message: object) => {
      beats.push(message);
      if ('TASK' in message && message.TASK === 'HEARTBEAT' && !('RESPONSE' in message)) {
        connection.send({ SERVER_UUID: 'minimal-1', TASK: 'HEARTBEAT', RESPONSE: 'ALIVE' });
      }
    };
    connection.onMessage(answer);
    answer(first);
  });
  const site = await serve({ peers: [address] });
  await until('it is a member', () => livePeersOf(site) === 1);
  const asked = beats.length;
  await until('it is asked on', () => beats.length > asked + 2);
  for (const beat of beats.slice(asked + 1)) expect(beat).toMatchObject({ TASK: 'HEARTBEAT' });
  await close();
});

test('a server with another mesh token is not let in', async () => {
  const a = await serve();
  const b = await world.addServer({ token: 'another token', peers: [a.address], settings: FAST });
  await until('it was refused', () => world.said('peer cannot be reached; trying on', b).length === 1);
  expect(world.said('peer cannot be reached; trying on', b)[0]?.fields.error).toContain('401');
  expect(a.mesh.snapshot().peers).toEqual([]);
  expect(JSON.stringify(world.log)).not.toContain('token"');
});

test('a borrowed worker without a ticket that is good here is refused', async () => {
  const site = await serve();
  const now = Date.now();
  const claims = {
    loan: 'l',
    worker: 'w',
    home: 'h',
    homeAddress: site.address,
    borrower: site.uuid,
    issuedAt: now,
    connectBy: now + 10_000,
    lendUntil: now + 60_000,
  };
  const key = ticketKey(TOKEN);
  const admit = (ticket?: string) => {
    const shown = ticket === undefined ? {} : { TICKET: ticket };
    return site.mesh.admitBorrowed({ WORKER: 'ALIVE', WORKER_UUID: 'w', SERVER_UUID: 'h', ...shown });
  };
  expect(admit()).toEqual({ ok: false, reason: 'TICKET_MISSING' });
  expect(admit('nonsense')).toEqual({ ok: false, reason: 'TICKET_FORGED' });
  expect(admit(signTicket(claims, ticketKey('another')))).toEqual({ ok: false, reason: 'TICKET_FORGED' });
  expect(admit(signTicket({ ...claims, worker: 'v' }, key))).toEqual({
    ok: false,
    reason: 'TICKET_FOR_ANOTHER_WORKER',
  });
  expect(admit(signTicket({ ...claims, borrower: 'x' }, key))).toEqual({
    ok: false,
    reason: 'TICKET_FOR_ANOTHER_SERVER',
  });
  const old = { ...claims, connectBy: now - 60_000 };
  expect(admit(signTicket(old, key))).toEqual({ ok: false, reason: 'TICKET_EXPIRED' });
  expect(admit(signTicket(claims, key))).toEqual({ ok: true, home: 'h', lendUntil: claims.lendUntil });
  expect(world.said('refuses a borrowed worker')).toHaveLength(5);
});

test('the workers of a borrower that dies go home, and it finds its peers again', async () => {
  const a = await serve({ workers: 1 });
  const b = await serve({ workers: 3, peers: [a.address] });
  await until('they know each other', () => livePeersOf(a) === 1 && livePeersOf(b) === 1);
  a.submit(20_000);
  await until(
    'the workers are there',
    () => b.mesh.snapshot().lent.filter((loan) => loan.state === 'there').length === 2,
  );
  await a.crash();
  await until('the workers are home', () => b.connected.size === 3 && b.store.open.size === 0);
  expect(b.mesh.snapshot().peers[0]?.state).not.toBe('alive');
  await a.start();
  await until('it is back', () => livePeersOf(b) === 1);
});

test('a home that restarts knows its loans and gets its workers back', async () => {
  const a = await serve({ workers: 1 });
  const b = await serve({ workers: 3, peers: [a.address] });
  await until('they know each other', () => livePeersOf(a) === 1 && livePeersOf(b) === 1);
  a.submit(2_500);
  await until('the workers are there', () => a.mesh.snapshot().borrowed.length === 2);
  await b.crash();
  await b.start();
  expect(b.mesh.snapshot().lent).toHaveLength(2);
  await until('the borrower has told where they are', () =>
    b.mesh.snapshot().lent.every((loan) => loan.state === 'there'),
  );
  await until('all are home', () => b.connected.size === 3 && b.store.open.size === 0);
  expect(b.store.totals).toEqual({ made: 2, returned: 2, lost: 0 });
});

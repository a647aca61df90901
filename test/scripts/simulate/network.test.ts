import { beforeEach, expect, test } from 'vitest';
import { Chance } from '../../../scripts/simulate/engine/chance.ts';
import { Events } from '../../../scripts/simulate/engine/events.ts';
import { Process } from '../../../scripts/simulate/engine/process.ts';
import { Network } from '../../../scripts/simulate/network/network.ts';
import type { VirtualSocket } from '../../../scripts/simulate/network/virtual-socket.ts';

let events: Events;
let network: Network;
let server: Process;
let client: Process;
let told: string[];
let accepted: VirtualSocket[];

/** Tells what happens to an end. */
function listen(name: string, socket: VirtualSocket): void {
  socket.on('open', () => told.push(`${name} open`));
  socket.on('message', (data: Buffer) => told.push(`${name} ${data}`));
  socket.on('close', (code: number) => told.push(`${name} closed ${code}`));
  socket.on('error', (error: Error) => told.push(`${name} ${error.message}`));
}

function connect(): VirtualSocket {
  const socket = network.connect(client, 'ws://10.0.0.1:8765', undefined, 5_000);
  listen('client', socket);
  return socket;
}

function playUntil(ms: number): void {
  while (events.now < ms && events.step());
}

beforeEach(() => {
  events = new Events(new Chance(1));
  network = new Network(events, new Chance(2));
  server = new Process('server', '10.0.0.1', events, new Chance(3));
  client = new Process('client', 'client', events, new Chance(4));
  told = [];
  accepted = [];
  network.listen('10.0.0.1:8765', {
    process: server,
    accept: (socket) => {
      accepted.push(socket);
      listen('server', socket);
    },
  });
});

test('messages keep their order, and a close frame comes behind them', () => {
  const socket = connect();
  socket.on('open', () => {
    for (let i = 0; i < 5; i++) socket.send(String(i));
    socket.close(1000, 'bye');
  });
  playUntil(1_000);
  expect(told).toEqual([
    'client open',
    ...['0', '1', '2', '3', '4'].map((text) => `server ${text}`),
    'server closed 1000',
    'client closed 1000',
  ]);
});

test('what is sent over a cut path arrives when it is mended, in its order', () => {
  const socket = connect();
  playUntil(100);
  network.cut('client', '10.0.0.1');
  for (let i = 0; i < 5; i++) socket.send(String(i));
  accepted[0]?.send('the other way');
  events.at(1_000, 2, '', () => network.mendAll());
  playUntil(900);
  expect(told).toEqual(['client open', 'client the other way']);
  playUntil(2_000);
  expect(told.slice(2)).toEqual(['server 0', 'server 1', 'server 2', 'server 3', 'server 4']);
});

test('nobody is told of a host that lost its power, until its return', () => {
  const socket = connect();
  playUntil(100);
  server.end();
  network.darken('10.0.0.1');
  socket.send('lost');
  playUntil(1_000);
  expect(told).toEqual(['client open']);
  network.lighten('10.0.0.1');
  socket.send('who are you?');
  playUntil(2_000);
  expect(told).toEqual(['client open', 'client closed 1006']);
});

test('a killed process is missed at once, and a closed port refuses', () => {
  connect();
  playUntil(100);
  server.end();
  network.closeAllOf(server);
  playUntil(200);
  expect(told).toEqual(['client open', 'client closed 1006']);
  connect();
  playUntil(300);
  expect(told.slice(2)).toEqual(['client connect ECONNREFUSED 10.0.0.1:8765', 'client closed 1006']);
});

test('a handshake over a cut path times out', () => {
  network.cut('10.0.0.1', 'client');
  connect();
  playUntil(6_000);
  expect(told.slice(0, 2)).toEqual(['client Opening handshake has timed out', 'client closed 1006']);
});

/**
 * Many idle workers in one process: `main.ts URL COUNT`. Each has a connection of its own and behaves as a real one does, by the
 * worker's own rules for when it says that it is alive. Says `ready` when all are connected.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Presence } from '../../../worker/presence.ts';
import { processSurroundings } from '../../../worker/surroundings.ts';

/** Connections that are being opened at one time. */
const AT_ONCE = 50;

const [url = '', count] = process.argv.slice(2);

async function idleWorker(): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const presence = new Presence(
    { worker: crypto.randomUUID(), connections: 20, inFlight: 200 },
    {
      status: () => ({ openSlots: 2, leases: [], renewEveryMs: undefined }),
      papers: () => ({}),
      send: (alive) => {
        socket.send(JSON.stringify(alive));
        return true;
      },
    },
    processSurroundings,
  );
  socket.on('message', (data: Buffer) => {
    if (data.includes('"NO_TASK"')) presence.noTask();
  });
  socket.on('close', () => {
    throw new Error('the server closed the connection of an idle worker');
  });
  await once(socket, 'open');
  presence.arrived();
}

let waiting = Number(count);
const connectSome = async (): Promise<void> => {
  while (waiting-- > 0) await idleWorker();
};
await Promise.all(Array.from({ length: AT_ONCE }, connectSome));
process.send?.('ready');

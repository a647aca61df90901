import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what systems give to outgoing connections: a port from there may be taken while its server is down. */
const LOWEST = 15_000;
const HIGHEST = 30_000;
const TRIES = 100;

/** Ports that are free and stay so, as nothing takes them by chance, for servers that come back to their port. */
export async function steadyPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; attempt < TRIES && ports.size < count; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) ports.add(port);
  }
  if (ports.size < count) throw new Error(`no ${count} free ports from ${LOWEST} to ${HIGHEST}`);
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

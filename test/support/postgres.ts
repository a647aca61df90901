import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { inject } from 'vitest';
import { LocalPostgres, makeDatabase } from '../../scripts/support/postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the PostgreSQL of this run is asked for. */
    postgresBroker: string;
  }
}

/**
 * A new database for a test file; tells its address. It is in the PostgreSQL that DATABASE_URL tells, or else in one that all
 * test files of a run share, which is started for the first that asks.
 */
export async function testDatabase(): Promise<string> {
  const server = process.env.DATABASE_URL ?? (await sharedPostgres());
  const name = `test_${uuidv7().replaceAll('-', '')}`;
  await makeDatabase(server, name);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function sharedPostgres(): Promise<string> {
  const socket = createConnection(inject('postgresBroker'));
  let told = '';
  socket.on('data', (chunk) => {
    told += String(chunk);
  });
  await once(socket, 'end');
  if (!told.startsWith('postgres://')) throw new Error(told);
  return told;
}

/** For the process that starts the test files: tells whoever asks where PostgreSQL is, and starts it for the first. */
export async function startPostgresBroker(): Promise<{ readonly path: string; stop(): Promise<void> }> {
  const path = join(tmpdir(), `mutirao-broker-${uuidv7()}.sock`);
  let postgres: Promise<LocalPostgres> | undefined;
  const broker = createServer((socket) => {
    socket.on('error', () => {});
    postgres ??= LocalPostgres.make();
    postgres.then(
      (made) => socket.end(made.url()),
      (error) => socket.end(`PostgreSQL could not be started: ${error}`),
    );
  });
  broker.listen(path);
  await once(broker, 'listening');
  return {
    path,
    async stop() {
      broker.close();
      await (await postgres?.catch(() => undefined))?.remove();
    },
  };
}

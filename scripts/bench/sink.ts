import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { Process } from '../support/process.ts';
import type { Relay } from './contender.ts';

/** Where Debian and others put programs that are not for everybody; not always on the PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec/postfix'];
const START_WITHIN_MS = 5_000;
/** Accepted and not yet taken up; more than the connections of all contenders. */
const BACKLOG = 1_024;

export interface BenchSink extends Relay {
  /** Which one it is. */
  readonly name: string;
  stop(): Promise<void>;
}

/** Postfix's `smtp-sink` where installed (C, so it leaves most of the machine to the contenders), else our own. */
export async function startSink(): Promise<BenchSink> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  const program = folders.map((folder) => join(folder, 'smtp-sink')).find((path) => existsSync(path));
  return program === undefined ? ownSink() : smtpSink(program);
}

async function ownSink(): Promise<BenchSink> {
  const sink = new Process({ name: 'sink', entry: 'sink/main.ts', args: ['--port', '0'] });
  const [, host = '', port] = await sink.prints(/^Sink listening on smtp:\/\/([\d.]+):(\d+)/);
  return {
    name: "Mutirão's own sink (Node.js)",
    host,
    port: Number(port),
    stop: async () => void (await sink.stop('SIGINT')),
  };
}

async function smtpSink(program: string): Promise<BenchSink> {
  const host = '127.0.0.1';
  const port = await freePort(host);
  // As root it insists on being told whom to become.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(program, [...user, '-m', String(BACKLOG), `${host}:${port}`, String(BACKLOG)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await accepts(child, host, port);
  return {
    name: "Postfix's smtp-sink",
    host,
    port,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** It cannot choose a port by itself. */
async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function accepts(child: ChildProcess, host: string, port: number): Promise<void> {
  const deadline = performance.now() + START_WITHIN_MS;
  for (;;) {
    const socket = connect(port, host);
    try {
      await once(socket, 'connect');
      return;
    } catch (cause) {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error('smtp-sink does not start; take it off the PATH to use our own', { cause });
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      socket.destroy();
    }
  }
}

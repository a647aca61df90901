/**
 * One server and one worker, ready for real mail:
 *
 *   npm start -- --relay smtp://user:password@mail.example.org:587
 *
 * Takes every flag and MUTIRAO_* variable of `mutirao server`; the worker is told where the server is and its token.
 * Ctrl-C stops both, the worker first; a second one hurries.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Command } from 'commander';
import { addFlags, SERVER_SETTINGS, settingsOf } from '../config/index.ts';
import { endpointUrl } from '../protocol/index.ts';

/** A worker that cannot be kept running is given up after so many ends in a row. */
const MAX_RESTARTS = 5;
const RESTART_AFTER_MS = 1_000;
const LOOK_EVERY_MS = 100;

const ROOT = join(import.meta.dirname, '..');
const command = addFlags(new Command('start'), SERVER_SETTINGS).description('run one server and one worker');

function run(entry: string, args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [join(ROOT, entry), ...args], {
    stdio: 'inherit',
    // the children stop when they are told, not when the terminal tells everybody at once
    detached: true,
    env: { ...process.env, ...environment },
  });
}

async function isListening(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return isOpen;
}

/** Waits until somebody listens there. @returns false when `isOver` comes before */
async function untilListening(host: string, port: number, isOver: () => boolean): Promise<boolean> {
  while (!isOver()) {
    if (await isListening(host, port)) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return false;
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

async function start(): Promise<number> {
  const settings = settingsOf(command, SERVER_SETTINGS);
  const { host, port } = settings;
  if (port === 0) throw new Error('--port 0: the worker must know the port, so name one');
  if (await isListening(host, port)) {
    throw new Error(
      `port ${port} on ${host} is in use, perhaps by another server: choose another one with --port`,
    );
  }
  const url = endpointUrl({
    IP: host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host,
    PORT: port,
    ...(settings.tlsCert === undefined ? {} : { TLS: true }),
  });
  const workerArgs = ['--server', url, ...(settings.tlsCa === undefined ? [] : ['--tls-ca', settings.tlsCa])];
  const token: Record<string, string> =
    settings.tokenWorker === undefined ? {} : { MUTIRAO_TOKEN: settings.tokenWorker };
  let isStopping = false;
  let restarts = 0;
  let worker: ChildProcess | undefined;
  const server = run('server/main.ts', process.argv.slice(2));
  const ended = once(server, 'exit') as Promise<[number | null]>;

  const stop = async (): Promise<void> => {
    if (isStopping) {
      worker?.kill('SIGTERM');
      server.kill('SIGTERM');
      return;
    }
    isStopping = true;
    if (worker !== undefined && isRunning(worker)) {
      worker.kill('SIGTERM');
      await once(worker, 'exit');
    }
    server.kill('SIGTERM');
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());

  const keepWorker = (): void => {
    worker = run('worker/main.ts', workerArgs, token);
    worker.once('exit', () => {
      if (isStopping || restarts++ >= MAX_RESTARTS) return;
      setTimeout(() => {
        if (!isStopping) keepWorker();
      }, RESTART_AFTER_MS);
    });
  };
  if (await untilListening(host, port, () => isStopping || !isRunning(server))) keepWorker();
  const [code] = await ended;
  if (!isStopping) {
    isStopping = true;
    worker?.kill('SIGTERM');
  }
  return code ?? 1;
}

command.action(async () => {
  process.exitCode = await start();
});
try {
  await command.parseAsync();
} catch (error) {
  process.stderr.write(`start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { addFlags, ConfigError, settingsOf, WORKER_SETTINGS, type WorkerSettings } from '../config/index.ts';
import { createLogger, type Log } from '../logging/index.ts';
import { WorkerError } from './errors.ts';
import { takeFolder } from './journal/folder.ts';
import { Journal } from './journal/journal.ts';
import { startProcesses } from './processes.ts';
import { compose } from './tasks/compose.ts';
import { startWorker } from './worker.ts';

const HELP = `
Examples:
  mutirao worker --server ws://127.0.0.1:8765
  mutirao worker --server wss://mail-1.example.org:8765 --token-file /etc/mutirao/token --connections 50 --processes 4`;

/** `mutirao worker`. */
export function workerCommand(): Command {
  const command = new Command('worker').description(
    'run a worker: takes tasks from a server, sends their mail through relays, reports what became of it',
  );
  addFlags(command, WORKER_SETTINGS).addHelpText('after', HELP);
  return command.action(async () => {
    const settings = settingsOf(command, WORKER_SETTINGS);
    if (settings.processes > 1) await runProcesses(settings);
    else await runWorker(settings);
  });
}

/** Runs one worker until SIGTERM or SIGINT; a second signal ends it at once. */
async function runWorker(settings: WorkerSettings): Promise<void> {
  const folder = takeFolder(settings.data);
  const log = openLog(settings, settings.logFile ?? join(folder.path, 'worker.log'));
  let journal: Journal | undefined;
  try {
    journal = openJournal(folder.path, log);
    const worker = startWorker({
      uuid: journal.worker,
      journal,
      servers: settings.server,
      token: settings.token,
      ca: settings.tlsCa === undefined ? undefined : readCa(settings.tlsCa),
      connections: settings.connections,
      inFlight: settings.inFlight,
      transactionsPerConnection: settings.transactionsPerConnection,
      heloName: settings.heloName,
      drainMs: settings.drain,
      times: { patienceMs: settings.patience },
      compile: compose,
      logger: log.logger,
    });
    await untilTold(() => worker.stop());
  } finally {
    journal?.close();
    folder.release();
    await log.stop();
  }
}

function openJournal(folder: string, { logger }: Log): Journal {
  try {
    return Journal.open({ folder, logger });
  } catch (cause) {
    throw new WorkerError(
      'DATA_UNUSABLE',
      `the journal in ${folder} cannot be written (${(cause as Error).message}): make room, or name another folder with --data`,
      { cause },
    );
  }
}

async function runProcesses(settings: WorkerSettings): Promise<void> {
  const log = openLog(settings, 'none');
  try {
    const processes = startProcesses({
      count: settings.processes,
      program: process.argv[1] as string,
      // The last one given counts.
      args: (number) => [...process.argv.slice(2), '--processes', '1', ...folderOf(settings, number)],
      logger: log.logger,
    });
    await untilTold(() => processes.stop());
  } finally {
    await log.stop();
  }
}

/** Each process has a folder of its own, and the one that takes its place has the same. */
const folderOf = ({ data }: WorkerSettings, number: number): string[] =>
  data === undefined ? [] : ['--data', join(data, String(number))];

/** Every signal calls `stop`; resolves when the first stop is done. */
function untilTold(stop: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const onSignal = (): void => void stop().then(end, reject);
    const end = (): void => {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
      process.off('disconnect', onSignal);
      // The channel to a parent would keep the process alive.
      if (process.connected) process.disconnect();
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    process.on('disconnect', onSignal);
  });
}

function openLog(settings: WorkerSettings, file: string): Log {
  return createLogger({
    level: settings.verbose && settings.logLevel === 'info' ? 'debug' : settings.logLevel,
    part: 'worker',
    file,
    secrets: settings.token === undefined ? [] : [settings.token],
  });
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`--tls-ca ${path} cannot be read: give a PEM file (${(cause as Error).message})`, {
      cause,
    });
  }
}

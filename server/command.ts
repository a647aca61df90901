import { join } from 'node:path';
import { Command } from 'commander';
import { addFlags, SERVER_SETTINGS, type ServerSettings, settingsOf } from '../config/index.ts';
import { createLogger, type Log, LogFileError } from '../logging/index.ts';
import { EXIT_IDENTITY_IN_USE } from './errors.ts';
import { dataFolder, startServer } from './server.ts';
import { folderNotWritable } from './store/errors.ts';

const HELP = `
Examples:
  mutirao server --relay smtp://localhost:2525
  mutirao server --port 8766 --peer ws://127.0.0.1:8765 --relay smtp://localhost:2525

A second server on the same machine needs nothing but another --port.`;

/** `mutirao server`. */
export function serverCommand(): Command {
  const command = new Command('server').description(
    'run a coordinator server: keeps batches, hands tasks to workers, borrows and lends workers',
  );
  addFlags(command, SERVER_SETTINGS).addHelpText('after', HELP);
  return command.action(async () => runServer(settingsOf(command, SERVER_SETTINGS)));
}

/** Runs a server until SIGTERM or SIGINT; a second signal hurries. */
async function runServer(settings: ServerSettings): Promise<void> {
  const folder = dataFolder(settings);
  const log = openLog(settings, folder);
  try {
    const server = await startServer(settings, log.logger);
    const stopped = new Promise<void>((resolve) => {
      let signals = 0;
      const onSignal = (signal: NodeJS.Signals): void => {
        signals++;
        log.logger.info(
          { signal },
          signals === 1 ? 'stopping, workers finish or hand back; a second signal hurries' : 'hurrying',
        );
        if (signals > 1) server.hurry();
        else void server.stop().then(resolve);
      };
      process.on('SIGTERM', onSignal);
      process.on('SIGINT', onSignal);
    });
    const failure = await Promise.race([stopped, server.failed]);
    if (failure === undefined) return;
    log.logger.error({ part: 'server', code: failure.code }, failure.message);
    server.hurry();
    await server.stop();
    if (failure.code === 'IDENTITY_IN_USE') process.exitCode = EXIT_IDENTITY_IN_USE;
    process.stderr.write(`server: ${failure.message}\n`);
  } finally {
    await log.stop();
  }
}

/** The log, by default in the data folder. @throws StoreError when it is that folder which cannot be written */
function openLog(settings: ServerSettings, folder: string): Log {
  const { logLevel: level, logFile } = settings;
  const file = logFile ?? join(folder, 'logs', 'server.log');
  try {
    return createLogger({ level, file, secrets: secretsOf(settings) });
  } catch (error) {
    if (error instanceof LogFileError && logFile === undefined) throw folderNotWritable(folder, error.cause);
    throw error;
  }
}

function secretsOf(settings: ServerSettings): string[] {
  const tokens = [settings.tokenWorker, settings.tokenClient, settings.tokenMesh];
  const passwords = settings.relay.map((relay) => relay.pass);
  const store = settings.store === 'sqlite' ? [] : [settings.store, ...passwordsIn(settings.store)];
  return [...tokens, ...passwords, ...store].filter(
    (secret) => secret !== undefined && secret !== '',
  ) as string[];
}

/** The password of an address, as it stands there and as it is meant. */
function passwordsIn(address: string): string[] {
  const { password, searchParams } = new URL(address);
  const written = [password, searchParams.get('password') ?? ''];
  return written.flatMap((text) => [text, decoded(text)]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

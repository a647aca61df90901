import pino from 'pino';
import { serializeError } from './error.ts';
import { createRedactor } from './redact.ts';
import { RotatingFile } from './rotating-file.ts';
import { createFormatter, type Terminal } from './terminal.ts';

export type Logger = pino.Logger;
export type LogLevel = pino.LevelWithSilent;

export interface LoggerOptions {
  /** Records below it are not made at all. Default: `info`. */
  readonly level?: LogLevel;
  /** Which part of the program speaks; children name theirs: `logger.child({ part: 'mesh' })`. */
  readonly part?: string;
  /** Path of the log file, rotated. Undefined or `none`: no file. */
  readonly file?: string | undefined;
  /** Default: 10 MiB. */
  readonly maxFileBytes?: number;
  /** Default: one day. */
  readonly maxFileAgeMs?: number;
  /** Rotated files kept beside the current one. Default: 7. */
  readonly keepFiles?: number;
  /** Standing fields of every record, such as the identity of the server. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Values that must appear nowhere, such as the tokens and passwords the program was started with. */
  readonly secrets?: readonly string[];
  /** Default: standard error, so that standard output remains for results. */
  readonly terminal?: Terminal;
}

/** A logger with its life: whoever creates it stops it last. */
export interface Log {
  readonly logger: Logger;
  /** Everything said is on disk when it resolves. Idempotent; what is said afterwards is dropped. */
  stop(): Promise<void>;
}

const MAX_FILE_BYTES = 10 * 1024 * 1024;
const MAX_FILE_AGE_MS = 24 * 60 * 60 * 1000;
const KEEP_FILES = 7;

/**
 * The log of one process. On a terminal: coloured one-line records (plain ones if `NO_COLOR` is set); where
 * standard error is not a terminal: one JSON object per line. At the same time, if asked, the same JSON in a
 * file with rotation. Everything is written before the call returns, in this process and thread, so that no
 * line is lost by a hard exit. Secrets are taken out on the way: see redact.ts.
 *
 * @throws LogFileError when the file can't be opened. Trouble with it later is told on the terminal and
 * overcome: it never stops the program.
 */
export function createLogger(options: LoggerOptions = {}): Log {
  const terminal: Terminal = options.terminal ?? process.stderr;
  const format =
    terminal.isTTY === true ? createFormatter(!process.env.NO_COLOR) : (line: string): string => line;
  const file = openFile(options, (message) => sayTrouble(message));
  const redact = createRedactor(options.secrets);
  const ignoreBrokenTerminal = (): void => {};
  // A terminal that went away (EPIPE) is no reason to fall.
  terminal.on?.('error', ignoreBrokenTerminal);
  let isStopped = false;

  const logger = pino(
    {
      level: options.level ?? 'info',
      base: {
        pid: process.pid,
        ...options.fields,
        ...(options.part === undefined ? {} : { part: options.part }),
      },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error) => serializeError(error), error: (error) => serializeError(error) },
    },
    {
      write(line: string): void {
        if (isStopped) return;
        const safe = redact(line);
        file?.write(safe);
        terminal.write(format(safe));
      },
    },
  );

  /** Bypasses the file, which is what the trouble is about. */
  function sayTrouble(message: string): void {
    const record = { level: 'warn', time: new Date().toISOString(), part: 'logging', msg: message };
    terminal.write(format(`${JSON.stringify(record)}\n`));
  }

  return {
    logger,
    stop: () => {
      if (!isStopped) {
        isStopped = true;
        file?.close();
        terminal.off?.('error', ignoreBrokenTerminal);
      }
      return Promise.resolve();
    },
  };
}

function openFile(options: LoggerOptions, onTrouble: (message: string) => void): RotatingFile | undefined {
  if (options.file === undefined || options.file === 'none' || options.level === 'silent') return undefined;
  return new RotatingFile({
    path: options.file,
    maxBytes: options.maxFileBytes ?? MAX_FILE_BYTES,
    maxAgeMs: options.maxFileAgeMs ?? MAX_FILE_AGE_MS,
    keep: options.keepFiles ?? KEEP_FILES,
    onTrouble,
  });
}

/** For tests and for those who want to hear nothing. */
export function createSilentLogger(): Logger {
  return pino({ level: 'silent' });
}

import { createReadStream, type ReadStream, statSync } from 'node:fs';
import { extname } from 'node:path';
import type { Row } from '../../client/index.ts';
import { CliError } from '../errors.ts';
import { csvRows } from './csv.ts';
import { DEFAULT_ENCODING, decode, decoderFor } from './decode.ts';
import { listRows, writtenRows } from './list.ts';

export type RecipientFormat = 'csv' | 'txt';

export interface ReadOptions {
  /** Name of an encoding as TextDecoder knows it; UTF-8 unless given. */
  readonly encoding?: string;
  /** One character; found out from the header row unless given. */
  readonly delimiter?: string;
  /** For files whose name does not tell, and for standard input. */
  readonly format?: RecipientFormat;
}

/** Where recipients come from. */
export interface RecipientSource {
  /** Reads from the start, each time. */
  rows(): AsyncGenerator<Row>;
  /** Standard input can be read only once. */
  readonly once: boolean;
}

/**
 * The recipients of all `--to` values, one after the other: CSV and text files, `-` for standard input, addresses.
 *
 * @throws CliError for a file that is not there, or of which nobody can tell what it is
 */
export function recipientSource(given: readonly string[], options: ReadOptions): RecipientSource {
  decoderFor(options.encoding ?? DEFAULT_ENCODING);
  const parts = given.map((to) => partOf(to, options));
  if (given.filter((to) => to === '-').length > 1) throw new CliError('--to - can be given only once');
  return {
    once: given.includes('-'),
    async *rows() {
      for (const part of parts) yield* part();
    },
  };
}

function partOf(to: string, options: ReadOptions): () => Iterable<Row> | AsyncIterable<Row> {
  if (to === '-') {
    const format = options.format ?? formatMissing('--to -: say what comes');
    return () => read(process.stdin, format, 'stdin', options);
  }
  const kind = kindOf(to);
  if (kind === 'file') {
    const format =
      options.format ??
      formatOf(to) ??
      formatMissing(`--to ${to}: the name of the file does not tell what it is`);
    return () => read(open(to), format, to, options);
  }
  if (kind === 'folder') throw new CliError(`--to ${to} is a folder`);
  if (to.includes('@')) return () => writtenRows(to);
  throw new CliError(`--to ${to}: there is no such file`, {
    hint: 'give a .csv or .txt file, or addresses with commas between them',
  });
}

function kindOf(path: string): 'file' | 'folder' | 'nothing' {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'nothing';
  return stat.isDirectory() ? 'folder' : 'file';
}

function formatOf(path: string): RecipientFormat | undefined {
  const extension = extname(path).toLowerCase();
  if (extension === '.csv' || extension === '.tsv') return 'csv';
  return extension === '.txt' || extension === '.list' ? 'txt' : undefined;
}

function formatMissing(problem: string): never {
  throw new CliError(problem, { hint: 'with --format csv, or --format txt for one address per line' });
}

function open(path: string): ReadStream {
  return createReadStream(path, { highWaterMark: 256 * 1024 });
}

async function* read(
  bytes: AsyncIterable<Uint8Array>,
  format: RecipientFormat,
  file: string,
  options: ReadOptions,
): AsyncGenerator<Row> {
  const text = decode(bytes, options.encoding ?? DEFAULT_ENCODING, file);
  try {
    yield* format === 'csv' ? csvRows(text, file, options.delimiter) : listRows(text, file);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    throw new CliError(`${file} cannot be read (${code})`, { cause: error });
  }
}

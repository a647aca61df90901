import { pipeline, Readable } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import type { Row } from '../../client/index.ts';
import { CliError } from '../errors.ts';
import { Columns } from './columns.ts';
import { endOfHeader, guessDelimiter } from './delimiter.ts';

/** Longest row, characters: an open quote would otherwise swallow the rest of the file into memory. */
const MAX_ROW_CHARS = 1024 * 1024;

/** A row with the number of its first line in the file. */
type NumberedCells = readonly [line: number, cells: readonly string[]];

const numbered = (line: number, cells: readonly string[]): NumberedCells => [line, cells];

/**
 * Reads CSV (RFC 4180, with what spreadsheets do to it: other delimiters, any line ends, blank lines, spaces around
 * names). The header row names the variables. Memory does not grow with the file.
 *
 * @throws CliError when the file as a whole cannot be read; a single bad row is yielded as such
 */
export async function* csvRows(
  text: AsyncIterable<string>,
  file: string,
  delimiter?: string,
): AsyncGenerator<Row> {
  const { first, rest } = await untilHeader(text, file);
  const counter = new LineCounter();
  const records = parse({
    delimiter: delimiter ?? guessDelimiter(first),
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    max_record_size: MAX_ROW_CHARS,
    // Without named columns the library's types let a record be nothing but cells.
    on_record: (cells, { lines }) => numbered(counter.startOf(cells, lines), cells) as unknown as string[],
  });
  // What the source throws comes out of the parser, and leaving the loop below ends the source.
  pipeline(Readable.from(rest), records, () => {});
  let columns: Columns | undefined;
  try {
    for await (const [line, cells] of records as AsyncIterable<NumberedCells>) {
      if (columns === undefined) columns = new Columns(cells, file);
      else yield columns.row(cells, `${file}:${line}`);
    }
  } catch (error) {
    throw readable(error, file, counter.last);
  }
  if (columns === undefined)
    throw new CliError(`${file} is empty`, { hint: 'its first row has to name the columns' });
}

/** Reads as far as the end of the header row, which tells the delimiter, and gives everything back to be read again. */
async function untilHeader(
  text: AsyncIterable<string>,
  file: string,
): Promise<{ first: string; rest: AsyncIterable<string> }> {
  const pieces = text[Symbol.asyncIterator]();
  let head = '';
  let end = -1;
  while (end < 0) {
    const next = await pieces.next();
    if (next.done === true) break;
    head += next.value;
    end = endOfHeader(head);
    if (end < 0 && head.length > MAX_ROW_CHARS) {
      throw new CliError(
        `${file}: its first line is longer than ${MAX_ROW_CHARS} characters; is it a CSV file?`,
      );
    }
  }
  const rest = async function* (): AsyncGenerator<string> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => pieces };
  };
  return { first: end < 0 ? head : head.slice(0, end), rest: rest() };
}

/**
 * Line numbers out of the parser's count, which is that of a record's last line, and takes a CRLF inside a quoted cell for
 * two lines.
 */
class LineCounter {
  #surplus = 0;
  /** The last line of the last whole record. */
  last = 0;

  /** The first line of a record; `counted` is the parser's number. */
  startOf(cells: readonly string[], counted: number): number {
    let breaks = 0;
    let pairs = 0;
    for (const cell of cells) {
      if (!/[\r\n]/.test(cell)) continue;
      breaks += cell.match(/[\r\n]/g)?.length ?? 0;
      pairs += cell.match(/\r\n/g)?.length ?? 0;
    }
    const start = counted - breaks - this.#surplus;
    this.#surplus += pairs;
    this.last = start + breaks - pairs;
    return start;
  }
}

function readable(error: unknown, file: string, lastLine: number): unknown {
  const { code } = error as CsvError;
  if (typeof code !== 'string' || !code.startsWith('CSV_')) return error;
  if (code === 'CSV_MAX_RECORD_SIZE') {
    return new CliError(
      `${file}: the row after line ${lastLine} is longer than ${MAX_ROW_CHARS} characters`,
      {
        hint: 'perhaps a quote that is opened there is never closed',
        cause: error,
      },
    );
  }
  if (code === 'CSV_QUOTE_NOT_CLOSED') {
    return new CliError(`${file}: a quote that is opened after line ${lastLine} is never closed`, {
      hint: 'a quote inside a quoted cell is written twice: "5"" pipe"',
      cause: error,
    });
  }
  return new CliError(`${file}, after line ${lastLine}: ${(error as Error).message}`, { cause: error });
}

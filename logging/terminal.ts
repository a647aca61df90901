import { prettyFactory } from 'pino-pretty';

/** What is needed of `process.stderr`. */
export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  off?(event: 'error', listener: (error: Error) => void): unknown;
}

type Paint = (text: string) => string;

const paint =
  (open: number, close: number): Paint =>
  (text) =>
    `\u001b[${open}m${text}\u001b[${close}m`;

const plain: Paint = (text) => text;
const dim = paint(2, 22);
const cyan = paint(36, 39);
const LEVELS: Readonly<Record<string, Paint>> = {
  trace: dim,
  debug: paint(34, 39),
  info: paint(32, 39),
  warn: paint(33, 39),
  error: paint(31, 39),
  fatal: paint(41, 49),
};

/** Wide enough for `DEBUG`; a part's name is short by custom. */
const LEVEL_WIDTH = 5;
const PART_WIDTH = 8;

/** Shown as columns or meant for machines, so not repeated among the fields. */
const NOT_A_FIELD = new Set(['time', 'level', 'part', 'msg', 'pid', 'err']);
const NEEDS_NO_QUOTES = /^[\p{L}\p{N}_.:/@+*-]+$/u;

/**
 * Makes a record, given as one line of JSON, a line for people: `12:34:56.789 | INFO  | mesh | message  key=value`.
 * An error under `err` or `error` follows with its stack.
 */
export function createFormatter(isColoured: boolean): (line: string) => string {
  const style = (painted: Paint): Paint => (isColoured ? painted : plain);
  const bar = style(dim)(' | ');
  const formatMessage = (record: Record<string, unknown>): string => {
    const level = String(record.level);
    const columns = [
      style(dim)(clock(record.time)),
      style(LEVELS[level] ?? plain)(level.toUpperCase().padEnd(LEVEL_WIDTH)),
      style(cyan)(String(record.part ?? '').padEnd(PART_WIDTH)),
      escapeControls(String(record.msg ?? '')),
    ];
    const fields = Object.entries(record)
      .filter(([key]) => !NOT_A_FIELD.has(key))
      .map(([key, value]) => `${style(dim)(`${escapeControls(key)}=`)}${formatValue(value)}`);
    return fields.length === 0 ? columns.join(bar) : `${columns.join(bar)}  ${fields.join(' ')}`;
  };
  const pretty = prettyFactory({
    colorize: false,
    include: 'err',
    messageFormat: formatMessage,
  });
  return (line) => {
    const { error, ...record } = JSON.parse(line, calm) as Record<string, unknown>;
    if (error === undefined) return pretty(record);
    const isLogged = typeof error === 'object' && error !== null && record.err === undefined;
    return pretty({ ...record, [isLogged ? 'err' : 'error']: error });
  };
}

function clock(time: unknown): string {
  const at = new Date(String(time));
  const two = (n: number): string => String(n).padStart(2, '0');
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

function formatValue(value: unknown): string {
  if (typeof value === 'string' && NEEDS_NO_QUOTES.test(value)) return value;
  return escapeControls(JSON.stringify(value));
}

/** JSON quotes control characters and pino-pretty takes them out of stacks; those beyond ASCII remain for us. */
function calm(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/[\u007f-\u009f]/g, '\ufffd') : value;
}

/** What a stranger put into a text, an SMTP reply for example, must not steer the terminal. */
function escapeControls(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

import type { LogRecord } from '../support/process.ts';

/** Log lines of the servers that a spectator wants to see, by how they begin. */
const WORTH_SHOWING: readonly RegExp[] = [
  /^breaker (opened|closed)/,
  /^borrowed worker connected/,
  /^lease expired/,
  /^batch (submitted|finished)/,
  /loan|lent|recall|saturated|relaxed|comes home|sent home|returned/i,
];

/** Keys that say where something happened, in the order in which they are shown. */
const SHOWN = [
  'relay',
  'reason',
  'workers',
  'recipients',
  'maybeSent',
  'drainS',
  'sent',
  'failed',
  'seconds',
] as const;

/** One line for the spectator, or undefined for what is only for the log. */
export function eventOf(server: number, record: LogRecord): string | undefined {
  const message = record.msg ?? '';
  if (record.level === 'debug' || !WORTH_SHOWING.some((pattern) => pattern.test(message))) return undefined;
  const details = SHOWN.filter((key) => record[key] !== undefined).map(
    (key) => `${key}=${shown(record[key])}`,
  );
  return `server ${server + 1}: ${message}${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return String(value.length);
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : String(value);
}

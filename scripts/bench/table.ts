import type { ResultRow } from './results.ts';

const HEAD = [
  'contender',
  'bytes',
  'mails/s',
  'min–max',
  'CPU µs/mail',
  'min–max',
  'peak RSS MB',
  '× pool',
  'min–max',
];

/** The results as lines of a Markdown table, which people can read as well. */
export function tableOf(rows: readonly ResultRow[]): string[] {
  const cells = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return cells.flatMap((row, i) => (i === 0 ? [line(row), line(rule)] : [line(row)]));
}

function cellsOf(row: ResultRow): string[] {
  return [
    row.name,
    number(row.bytes),
    number(row.mailsPerSecond),
    range(row.mailsPerSecondMin, row.mailsPerSecondMax),
    number(row.cpuMicrosPerMail),
    range(row.cpuMicrosPerMailMin, row.cpuMicrosPerMailMax),
    number(row.rssMB),
    fixed(row.timesPool),
    row.timesPoolMin === null ? '' : `${fixed(row.timesPoolMin)}–${fixed(row.timesPoolMax)}`,
  ];
}

/** Where the processor time and the memory of a contender of several parts went; no lines for the others. */
export function partsOf(rows: readonly ResultRow[]): string[] {
  return rows.flatMap(({ name, bytes, cpuByPart, rssByPart }) => {
    if (cpuByPart === null || Object.keys(cpuByPart).length < 2) return [];
    const cpu = Object.entries(cpuByPart).map(([part, micros]) => `${part} ${number(micros)}`);
    const rss = Object.entries(rssByPart ?? {}).map(([part, megabytes]) => `${part} ${number(megabytes)}`);
    return [`${name}, ${number(bytes)} bytes: CPU µs/mail ${cpu.join(', ')}; peak RSS MB ${rss.join(', ')}`];
  });
}

function number(value: number | null): string {
  return value === null ? '?' : value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

const range = (min: number | null, max: number | null): string =>
  min === null ? '' : `${number(min)}–${number(max)}`;

const fixed = (value: number | null): string => (value === null ? '' : value.toFixed(2));

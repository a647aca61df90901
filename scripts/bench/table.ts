import { BASES, type ResultRow } from './results.ts';
import { figure, range, textTable } from './text-table.ts';

const SHORT_NAMES: Readonly<Record<string, string>> = { 'nodemailer-pool': 'pool' };

/** The comparison as a table, with a column of ratios for each base that took part. */
export function tableOf(rows: readonly ResultRow[]): string[] {
  const bases = BASES.filter((base) => rows.some(({ times }) => times[base] !== undefined));
  const head = [
    ...['contender', 'bytes', 'mails/s', 'min–max', 'CPU µs/mail', 'min–max', 'peak RSS MB'],
    ...bases.flatMap((base) => [`× ${SHORT_NAMES[base] ?? base}`, 'min–max']),
  ];
  return textTable(
    head,
    rows.map((row) => [
      row.name,
      figure(row.bytes),
      figure(row.mailsPerSecond),
      range(row.mailsPerSecondMin, row.mailsPerSecondMax),
      figure(row.cpuMicrosPerMail),
      range(row.cpuMicrosPerMailMin, row.cpuMicrosPerMailMax),
      figure(row.rssMB),
      ...bases.flatMap((base) => ratioCells(row, base)),
    ]),
  );
}

function ratioCells({ name, times }: ResultRow, base: string): string[] {
  const ratio = times[base];
  if (ratio === undefined) return ['', ''];
  const spread = name === base ? '' : `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`;
  return [ratio.median.toFixed(2), spread];
}

/** Where the processor time and the memory of a contender of several parts went; no lines for the others. */
export function partsOf(rows: readonly ResultRow[]): string[] {
  return rows.flatMap(({ name, bytes, cpuByPart, rssByPart }) => {
    if (cpuByPart === null || Object.keys(cpuByPart).length < 2) return [];
    const cpu = Object.entries(cpuByPart).map(([part, micros]) => `${part} ${figure(micros)}`);
    const rss = Object.entries(rssByPart ?? {}).map(([part, megabytes]) => `${part} ${figure(megabytes)}`);
    return [`${name}, ${figure(bytes)} bytes: CPU µs/mail ${cpu.join(', ')}; peak RSS MB ${rss.join(', ')}`];
  });
}

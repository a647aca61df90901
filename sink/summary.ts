import type { SinkReport } from './tally.ts';

/** The report for people, a line per fact; what did not happen is left out. */
export function summary(report: SinkReport): string {
  const count = (value: number): string => value.toLocaleString('en');
  const rate = report.activeSeconds > 0 ? report.messages / report.activeSeconds : 0;
  const codes = Object.entries(report.perCode).map(([code, times]) => `${count(times)} × ${code}`);
  const rows: [string, string][] = [
    ['messages', `${count(report.messages)} (${(report.bytes / 1024 ** 2).toFixed(1)} MiB)`],
    ['recipients', `${count(report.uniqueRecipients)} different`],
    ['duplicates', count(report.duplicates)],
    ['refused', `${count(report.refused)}${codes.length > 0 ? ` (${codes.join(', ')})` : ''}`],
    ['connections', `${count(report.connections)}, at most ${count(report.peakConnections)} at once`],
  ];
  if (rate > 0) rows.push(['rate', `${count(Math.round(rate))} mails/s over ${report.activeSeconds} s`]);
  if (report.withoutMessageId > 0) rows.push(['no Message-ID', count(report.withoutMessageId)]);
  if (report.connectionsRefused > 0)
    rows.push(['sent away', `${count(report.connectionsRefused)} connections`]);
  if (report.authFailures > 0) rows.push(['AUTH failed', count(report.authFailures)]);
  if (report.timesDown > 0) rows.push(['was down', `${count(report.timesDown)} times`]);
  return rows.map(([name, value]) => `${`${name}:`.padEnd(15)}${value}\n`).join('');
}

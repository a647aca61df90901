import type { WriteStream } from 'node:tty';
import type { SinkReport } from './tally.ts';

const EVERY_MS = 1_000;
const CLEAR_LINE = '\r\u001b[2K';

/** Keeps one line on a terminal up to date with what the sink receives. */
export function startStatusLine(sink: { report(): SinkReport }, terminal: WriteStream): { stop(): void } {
  let before = sink.report();
  const timer = setInterval(() => {
    const now = sink.report();
    const rate = (now.messages - before.messages) / Math.max(0.001, now.seconds - before.seconds);
    before = now;
    terminal.write(`${CLEAR_LINE}${statusLine(now, rate).slice(0, Math.max(20, terminal.columns - 1))}`);
  }, EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      terminal.write(CLEAR_LINE);
    },
  };
}

/** `rate` in mails per second. */
export function statusLine(report: SinkReport, rate: number): string {
  const count = (value: number): string => value.toLocaleString('en');
  return [
    `${count(report.messages)} mails`,
    `${count(Math.round(rate))}/s`,
    `${count(report.openConnections)} connections`,
    `${count(report.duplicates)} duplicates`,
    `${count(report.refused)} refused`,
  ].join(' · ');
}

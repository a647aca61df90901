import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_FRAME_BYTES, WorkerReport } from '../../protocol/index.ts';
import { TaskReports } from '../../worker/reports.ts';
import { expand } from './support/scripted-server.ts';

const OK = { stage: 'dot', phase: 'replied', reply: '250 ok' } as const;
const BAD = { stage: 'rcpt', phase: 'replied', reply: '550 5.1.1 no' } as const;

describe('the reports of a task', () => {
  test('a report waits for the acknowledgement of the one before, and then says all that came meanwhile', () => {
    const reports = new TaskReports('t', 'w');
    reports.add(0, OK, true);
    expect(reports.next(1)).toMatchObject({ STATUS: 'OK', SENT: [[0, 0]] });
    reports.add(1, OK, true);
    reports.add(2, BAD, false);
    reports.add(3, OK, true);
    expect(reports.next(1)).toBeUndefined();
    expect(reports.acknowledged()).toBe(1);
    const second = reports.next(2);
    expect(second).toMatchObject({
      STATUS: 'NOK',
      SENT: [
        [1, 1],
        [3, 3],
      ],
      RESULTS: [{ SEQ: 2, STATUS: 'NOK', STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '550 5.1.1 no' }],
    });
    expect(reports.acknowledged()).toBe(3);
    expect(reports.next(3)).toBeUndefined();
  });

  test('a report names somebody or nobody, but never everybody by accident', () => {
    const reports = new TaskReports('t', 'w');
    reports.finish([], undefined);
    expect(reports.next(0)).toMatchObject({ STATUS: 'OK', SENT: [], DONE: true });
  });

  test('the same report is presented until it is acknowledged', () => {
    const reports = new TaskReports('t', 'w');
    reports.add(7, OK, true);
    const first = reports.next(0);
    reports.add(8, OK, true);
    expect(reports.again(5)).toBe(first);
    expect(reports.unansweredSince).toBe(5);
  });

  test('a report that is refused again and again is given up', () => {
    const reports = new TaskReports('t', 'w');
    reports.add(0, OK, true);
    reports.next(0);
    expect([1, 2, 3, 4].map(() => reports.refused())).toEqual([false, false, false, false]);
    expect(reports.refused()).toBe(true);
  });

  test('a task whose message cannot be composed is NOK as a whole', () => {
    const reports = new TaskReports('t', 'w');
    reports.failAll('no such template');
    const report = reports.next(0);
    expect(report).toEqual({
      STATUS: 'NOK',
      TASK: 'SEND',
      TASK_UUID: 't',
      WORKER_UUID: 'w',
      ERROR: 'no such template',
    });
    reports.acknowledged();
    expect(reports.isFinished).toBe(true);
  });

  test('whatever happens, each recipient is reported once, DONE comes last, and every report fits a frame', () => {
    const event = fc.oneof(
      { weight: 6, arbitrary: fc.constant('sent' as const) },
      { weight: 3, arbitrary: fc.constant('refused' as const) },
      { weight: 2, arbitrary: fc.constant('ack' as const) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 800 }), fc.nat({ max: 5 }), (events, untouched) => {
        const reports = new TaskReports('t', 'w');
        const seen: number[] = [];
        const take = (): boolean => {
          const report = reports.next(0);
          if (report === undefined) return false;
          expect(WorkerReport.safeParse(report).success).toBe(true);
          expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(MAX_FRAME_BYTES);
          expect(reports.isFinished).toBe(false);
          seen.push(...expand(report.SENT ?? []), ...(report.RESULTS ?? []).map((result) => result.SEQ));
          seen.push(...expand(report.RETURNED ?? []));
          return true;
        };
        let seq = 0;
        for (const what of events) {
          if (what === 'ack') reports.acknowledged();
          else
            reports.add(seq++, what === 'sent' ? OK : { ...BAD, reply: '€'.repeat(3_000) }, what === 'sent');
          take();
        }
        reports.finish(untouched === 0 ? [] : [[seq, seq + untouched - 1]]);
        for (let i = 0; i < 1_000 && !reports.isFinished; i++) {
          reports.acknowledged();
          take();
        }
        expect(reports.isFinished).toBe(true);
        expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: seq + untouched }, (_, i) => i));
      }),
      { numRuns: 50 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { type Rounds, rowsOf } from '../../../scripts/bench/results.ts';
import { partsOf, tableOf } from '../../../scripts/bench/table.ts';

const OURS: Rounds = {
  name: 'mutirao',
  bytes: 2048,
  samples: [
    { mails: 1000, seconds: 0.5, cpuMicros: { server: 30_000, worker: 70_000, client: 9_000 } },
    { mails: 1000, seconds: 0.25, cpuMicros: { server: 20_000, worker: 60_000, client: 8_000 } },
    { mails: 1000, seconds: 1, cpuMicros: { server: 50_000, worker: 90_000, client: 7_000 } },
  ],
  peakRssMB: { server: 100.4, worker: 80.2 },
};

const POOL: Rounds = {
  name: 'nodemailer-pool',
  bytes: 2048,
  samples: [
    { mails: 1000, seconds: 1, cpuMicros: { process: 400_000 } },
    { mails: 1000, seconds: 1, cpuMicros: { process: 500_000 } },
    { mails: 1000, seconds: 2, cpuMicros: { process: 600_000 } },
  ],
  peakRssMB: { process: 150 },
};

describe('the results', () => {
  it('are medians over the rounds, with the least and the greatest', () => {
    const [ours] = rowsOf([OURS, POOL]);
    expect(ours).toMatchObject({
      name: 'mutirao',
      bytes: 2048,
      mailsPerSecond: 2000,
      mailsPerSecondMin: 1000,
      mailsPerSecondMax: 4000,
      rounds: 3,
    });
  });

  it('charge server and worker per mail, and show the client beside them', () => {
    const [ours] = rowsOf([OURS, POOL]);
    expect(ours?.cpuMicrosPerMail).toBe(100);
    expect(ours?.cpuByPart).toEqual({ server: 30, worker: 70, client: 8 });
    expect(ours?.rssMB).toBe(181);
  });

  it('compare with the pool round by round, not median with median', () => {
    const [ours, pool] = rowsOf([OURS, POOL]);
    expect(ours?.times).toEqual({ 'nodemailer-pool': { median: 2, min: 2, max: 4 } });
    expect(pool?.times).toEqual({ 'nodemailer-pool': { median: 1, min: 1, max: 1 } });
  });

  it('compare with everybody who is a mark, by name', () => {
    const samples = [{ mails: 1000, seconds: 1, cpuMicros: undefined }];
    const [ours] = rowsOf([
      OURS,
      POOL,
      { ...POOL, name: 'bullmq', samples },
      { ...POOL, name: 'smtp-source', samples },
      { ...POOL, name: 'nodemailer-connection', samples },
    ]);
    expect(Object.keys(ours?.times ?? {})).toEqual(['nodemailer-pool', 'bullmq', 'smtp-source']);
    expect(ours?.times.bullmq).toEqual({ median: 2, min: 2, max: 2 });
  });

  it('compare only mail of the same size', () => {
    const [large] = rowsOf([{ ...OURS, bytes: 102_400 }, POOL]);
    expect(large?.times).toEqual({});
  });

  it('do without processor time and memory where the system does not tell', () => {
    const samples = OURS.samples.map((sample) => ({ ...sample, cpuMicros: undefined }));
    const [ours] = rowsOf([{ ...OURS, samples, peakRssMB: undefined }]);
    expect(ours).toMatchObject({ cpuMicrosPerMail: null, cpuByPart: null, rssMB: null });
    expect(tableOf(ours === undefined ? [] : [ours])[2]).toMatch(/mutirao .* \? /);
  });
});

describe('the table', () => {
  const lines = tableOf(rowsOf([OURS, POOL]));

  it('has a line for everybody under its head, all of one width', () => {
    expect(lines).toHaveLength(4);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    expect(lines[2]).toMatch(/^\| mutirao .* 2,000 .* 1,000–4,000 .* 100 .* 181 .* 2\.00 .* 2\.00–4\.00 \|$/);
  });

  it('is followed by where the time went in ours', () => {
    expect(partsOf(rowsOf([OURS, POOL]))).toEqual([
      'mutirao, 2,048 bytes: CPU µs/mail server 30, worker 70, client 8; peak RSS MB server 100, worker 80',
    ]);
  });
});

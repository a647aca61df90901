import type { CpuByPart, Sample } from './contender.ts';
import { ratiosOf, type Spread, spreadOf } from './statistics.ts';

/** All rounds of one contender with one size of mail. */
export interface Rounds {
  readonly name: string;
  readonly bytes: number;
  readonly samples: readonly Sample[];
  readonly peakRssMB: CpuByPart | undefined;
}

/** One line of the results. Medians over the rounds, rounded. */
export interface ResultRow {
  readonly name: string;
  readonly bytes: number;
  readonly mailsPerSecond: number;
  readonly mailsPerSecondMin: number;
  readonly mailsPerSecondMax: number;
  /** Of `CHARGED` parts together. */
  readonly cpuMicrosPerMail: number | null;
  readonly cpuMicrosPerMailMin: number | null;
  readonly cpuMicrosPerMailMax: number | null;
  readonly cpuByPart: CpuByPart | null;
  readonly rssMB: number | null;
  readonly rssByPart: CpuByPart | null;
  /** Rate over that of the contender named `BASE` in the same round. */
  readonly timesPool: number | null;
  readonly timesPoolMin: number | null;
  readonly timesPoolMax: number | null;
  readonly rounds: number;
}

/** The rival that the others are compared with. */
export const BASE = 'nodemailer-pool';

/** The client's time is shown and not charged: it makes up the recipients and reads its progress, as any program would. */
const UNCHARGED = 'client';

export function rowsOf(all: readonly Rounds[]): ResultRow[] {
  return all.map((rounds) => {
    const base = all.find(({ name, bytes }) => name === BASE && bytes === rounds.bytes);
    return rowOf(rounds, base);
  });
}

function rowOf({ name, bytes, samples, peakRssMB }: Rounds, base: Rounds | undefined): ResultRow {
  const rate = spreadOf(samples.map(rateOf));
  const cpu = cpuOf(samples);
  const ratios = base === undefined ? [] : ratiosOf(samples.map(rateOf), base.samples.map(rateOf));
  const times = ratios.length === 0 ? undefined : spreadOf(ratios);
  return {
    name,
    bytes,
    mailsPerSecond: Math.round(rate.median),
    mailsPerSecondMin: Math.round(rate.min),
    mailsPerSecondMax: Math.round(rate.max),
    cpuMicrosPerMail: tenth(cpu?.total.median),
    cpuMicrosPerMailMin: tenth(cpu?.total.min),
    cpuMicrosPerMailMax: tenth(cpu?.total.max),
    cpuByPart: cpu === undefined ? null : mapped(cpu.byPart, ({ median }) => tenth(median) ?? 0),
    rssMB: peakRssMB === undefined ? null : Math.round(sum(Object.values(peakRssMB))),
    rssByPart: peakRssMB === undefined ? null : mapped(peakRssMB, Math.round),
    timesPool: hundredth(times?.median),
    timesPoolMin: hundredth(times?.min),
    timesPoolMax: hundredth(times?.max),
    rounds: samples.length,
  };
}

const rateOf = ({ mails, seconds }: Sample): number => mails / seconds;

/** µs per mail: in all, and by part. */
function cpuOf(
  samples: readonly Sample[],
): { readonly total: Spread; readonly byPart: Readonly<Record<string, Spread>> } | undefined {
  const perMail: CpuByPart[] = [];
  for (const { cpuMicros, mails } of samples) {
    if (cpuMicros === undefined) return undefined;
    perMail.push(mapped(cpuMicros, (micros) => micros / mails));
  }
  const parts = Object.keys(perMail[0] ?? {});
  const charged = parts.filter((part) => part !== UNCHARGED);
  return {
    total: spreadOf(perMail.map((cost) => sum(charged.map((part) => cost[part] ?? 0)))),
    byPart: Object.fromEntries(parts.map((part) => [part, spreadOf(perMail.map((cost) => cost[part] ?? 0))])),
  };
}

function mapped<From, To>(
  values: Readonly<Record<string, From>>,
  to: (value: From) => To,
): Readonly<Record<string, To>> {
  return Object.fromEntries(Object.entries(values).map(([part, value]) => [part, to(value)]));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const tenth = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value * 10) / 10;
const hundredth = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value * 100) / 100;

import type { CpuByPart, Sample } from './contenders/contender.ts';
import { ratiosOf, rounded, type Spread, spreadOf } from './statistics.ts';

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
  /** All parts together that are charged. */
  readonly cpuMicrosPerMail: number | null;
  readonly cpuMicrosPerMailMin: number | null;
  readonly cpuMicrosPerMailMax: number | null;
  readonly cpuByPart: CpuByPart | null;
  readonly rssMB: number | null;
  readonly rssByPart: CpuByPart | null;
  /** Rate over that of each of `BASES` in the same round, where it took part. */
  readonly times: Readonly<Record<string, Spread>>;
  readonly rounds: number;
}

/** Those that the others are compared with. */
export const BASES = ['nodemailer-pool', 'bullmq', 'smtp-source'];

/**
 * Shown and not charged: the client, which makes up the recipients and reads its progress, as any program would; and the sink, whose
 * time shows how much of the machine it takes away.
 */
const UNCHARGED: ReadonlySet<string> = new Set(['client', 'sink']);

export function rowsOf(all: readonly Rounds[]): ResultRow[] {
  return all.map((rounds) => {
    const sameSize = all.filter(({ bytes }) => bytes === rounds.bytes);
    return rowOf(
      rounds,
      sameSize.filter(({ name }) => BASES.includes(name)),
    );
  });
}

function rowOf({ name, bytes, samples, peakRssMB }: Rounds, bases: readonly Rounds[]): ResultRow {
  const rate = spreadOf(samples.map(rateOf));
  const cpu = cpuOf(samples);
  const times = bases.map((base) => [
    base.name,
    rounded(spreadOf(ratiosOf(samples.map(rateOf), base.samples.map(rateOf))), 2),
  ]);
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
    times: Object.fromEntries(times),
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
  const charged = parts.filter((part) => !UNCHARGED.has(part));
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

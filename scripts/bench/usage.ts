import { readFileSync } from 'node:fs';

/**
 * Processor time and memory of other processes, as the kernel counts them for the whole process, all threads: garbage
 * collection and the thread pool included. Linux only; elsewhere nothing is said.
 */

/** Kernel ticks per second in /proc: the same on every Linux (USER_HZ), whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100;

/** utime and stime of /proc/PID/stat, µs; the name in brackets may itself hold blanks and brackets. See proc(5). */
export function cpuMicrosOfStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

/** cutime and cstime: of all children that have ended and been waited for, µs. */
export function endedChildrenMicrosOfStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND) * 1e6;
}

/** VmHWM of /proc/PID/status, the highest resident memory so far, MB. */
export function peakRssMBOfStatus(status: string): number {
  return megabytesOf(status, 'VmHWM');
}

/** VmRSS, the resident memory now, MB. */
export function rssMBOfStatus(status: string): number {
  return megabytesOf(status, 'VmRSS');
}

function megabytesOf(status: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status);
  return match === null ? Number.NaN : Number(match[1]) / 1024;
}

export function cpuMicrosOf(pids: readonly number[]): number | undefined {
  return sumOf(pids, 'stat', cpuMicrosOfStat);
}

export function peakRssMBOf(pids: readonly number[]): number | undefined {
  return sumOf(pids, 'status', peakRssMBOfStatus);
}

export function rssMBOf(pids: readonly number[]): number | undefined {
  return sumOf(pids, 'status', rssMBOfStatus);
}

/** Of our own children that have ended: what a program cost that is gone before one can look. */
export function cpuMicrosOfEnded(): number | undefined {
  return sumOf([process.pid], 'stat', endedChildrenMicrosOfStat);
}

function sumOf(pids: readonly number[], file: string, read: (text: string) => number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  return pids.reduce((sum, pid) => sum + read(readFileSync(`/proc/${pid}/${file}`, 'utf8')), 0);
}

/** Runs `work` and tells what it cost each part, µs. */
export async function cpuOver<Part extends string>(
  pidsByPart: Readonly<Record<Part, readonly number[]>>,
  work: () => Promise<void>,
): Promise<Readonly<Record<Part, number>> | undefined> {
  const before = snapshot(pidsByPart);
  await work();
  const after = snapshot(pidsByPart);
  const parts = Object.keys(pidsByPart) as Part[];
  if (parts.some((part) => after[part] === undefined)) return undefined;
  return Object.fromEntries(
    parts.map((part) => [part, (after[part] ?? 0) - (before[part] ?? 0)]),
  ) as Readonly<Record<Part, number>>;
}

function snapshot<Part extends string>(
  pidsByPart: Readonly<Record<Part, readonly number[]>>,
): Partial<Record<Part, number>> {
  const entries = (Object.entries(pidsByPart) as [Part, readonly number[]][]).map(
    ([part, pids]) => [part, cpuMicrosOf(pids)] as const,
  );
  return Object.fromEntries(entries) as Partial<Record<Part, number>>;
}

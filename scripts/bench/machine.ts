import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import { STORES } from './contenders/stores.ts';
import { spreadOf } from './statistics.ts';

/** What a reader must know to compare. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGB: number;
  readonly system: string;
  readonly node: string;
  readonly nodemailer: string;
  readonly mutirao: string;
  /** The stores are on a file system in memory, where making things durable costs nothing. */
  readonly storeInMemory: boolean;
  /** What making one page durable takes where the stores are, ms: it differs by a hundred times between disks. */
  readonly syncMs: number;
  /** Processes that wanted to run at one time over the last minute, before anything was started. */
  readonly loadBefore: number;
}

/** Part of the cores that others keep busy from which on it is said that rates are not to be trusted. */
const BUSY_SHARE = 0.25;

/** Whether others are using the machine so much that only ratios can be read. */
export function isBusy({ loadBefore, cores }: Pick<Machine, 'loadBefore' | 'cores'>): boolean {
  return loadBefore > cores * BUSY_SHARE;
}

/** Magic number of tmpfs in statfs(2). */
const TMPFS = 0x01021994;
/** Enough for a median, short enough for a slow disk. */
const SYNCS = 15;

export function machineOf(): Machine {
  const require = createRequire(import.meta.url);
  const nodemailer = join(require.resolve('nodemailer'), '..', '..', '..', 'package.json');
  mkdirSync(STORES, { recursive: true });
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? '?',
    memoryGB: Math.round(totalmem() / 1024 ** 3),
    system: `${platform()} ${arch()}`,
    node: process.version,
    nodemailer: versionOf(nodemailer),
    mutirao: versionOf(join(import.meta.dirname, '..', '..', 'package.json')),
    storeInMemory: statfsSync(STORES).type === TMPFS,
    syncMs: Math.round(syncMsIn(STORES) * 100) / 100,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** Median over a few appended pages. */
function syncMsIn(folder: string): number {
  const file = join(folder, `sync-${process.pid}`);
  const page = Buffer.alloc(4_096, 1);
  const descriptor = openSync(file, 'w');
  try {
    const times = Array.from({ length: SYNCS }, () => {
      writeSync(descriptor, page);
      const startedAt = performance.now();
      fdatasyncSync(descriptor);
      return performance.now() - startedAt;
    });
    return spreadOf(times).median;
  } finally {
    closeSync(descriptor);
    rmSync(file);
  }
}

function versionOf(manifest: string): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

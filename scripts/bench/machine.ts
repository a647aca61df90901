import { readFileSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';

/** What a reader must know to compare. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGB: number;
  readonly system: string;
  readonly node: string;
  readonly nodemailer: string;
  readonly mutirao: string;
  readonly sink: string;
  /** The stores are on a file system in memory, where making things durable costs nothing. */
  readonly storeInMemory: boolean;
}

/** Magic number of tmpfs in statfs(2). */
const TMPFS = 0x01021994;

export function machineOf(sink: string): Machine {
  const require = createRequire(import.meta.url);
  const nodemailer = join(require.resolve('nodemailer'), '..', '..', '..', 'package.json');
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? '?',
    memoryGB: Math.round(totalmem() / 1024 ** 3),
    system: `${platform()} ${arch()}`,
    node: process.version,
    nodemailer: versionOf(nodemailer),
    mutirao: versionOf(join(import.meta.dirname, '..', '..', 'package.json')),
    sink,
    storeInMemory: statfsSync('.').type === TMPFS,
  };
}

function versionOf(manifest: string): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

const LINUX_BOOT_ID = '/proc/sys/kernel/random/boot_id';
const MINUTE_MS = 60_000;

/** Tells one start of this machine from another: where the system has no name for it, the minute it started. */
export function bootId(): string {
  try {
    return readFileSync(LINUX_BOOT_ID, 'utf8').trim();
  } catch {
    return `started at minute ${Math.round((Date.now() - uptime() * 1000) / MINUTE_MS)}`;
  }
}

import type { ResolvedOptions } from './batch.ts';

/** Whether nothing of a batch may be sent any more. */
export function isExpired({ expiresAt }: ResolvedOptions, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** What is kept as the reply of those that were not sent in time. */
export function expiredReply({ expiresAt }: ResolvedOptions): string {
  return `expired: it was to be sent before ${new Date(expiresAt ?? 0).toISOString()}`;
}

import type { z } from 'zod';
import type { BatchInfo } from '../../protocol/index.ts';
import type { BatchRecord } from './batch.ts';

/** A batch as clients see it. */
export function batchInfo(
  record: BatchRecord,
  live: { rate?: number; waiting?: string } = {},
): z.infer<typeof BatchInfo> {
  const { counts } = record;
  return {
    BATCH_UUID: record.uuid,
    ...(record.name === undefined ? {} : { NAME: record.name }),
    SUBJECT: record.message.SUBJECT,
    STATE: record.state,
    COUNTS: {
      TOTAL: counts.total,
      PENDING: counts.pending,
      LEASED: counts.leased,
      DEFERRED: counts.deferred,
      SENT: counts.sent,
      FAILED: counts.failed,
      UNKNOWN: counts.unknown,
      SUPPRESSED: counts.suppressed,
      CANCELLED: counts.cancelled,
    },
    REJECTED: record.rejected,
    DUPLICATES: record.duplicates,
    MAYBE_SENT: record.maybeSent,
    SECOND_REPORTS: record.secondReports,
    CREATED_AT: new Date(record.createdAt).toISOString(),
    ...(record.finishedAt === undefined ? {} : { FINISHED_AT: new Date(record.finishedAt).toISOString() }),
    ...(record.options.expiresAt === undefined
      ? {}
      : { EXPIRES_AT: new Date(record.options.expiresAt).toISOString() }),
    ...(live.rate === undefined ? {} : { RATE: Math.round(live.rate * 10) / 10 }),
    ...(live.waiting === undefined ? {} : { WAITING: live.waiting }),
  };
}

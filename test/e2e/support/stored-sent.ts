import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FILE_NAME } from '../../../server/store/sqlite/connection.ts';

interface Span {
  readonly first: number;
  readonly last: number;
}

/** Sequence numbers that the store of a server, dead or alive, holds as sent. */
export function storedSent(data: string, batch: string): Set<number> {
  const database = new DatabaseSync(join(data, FILE_NAME));
  try {
    const ofBatch = 'batch = (SELECT id FROM batch WHERE uuid = ?)';
    const spans = database
      .prepare(`SELECT from_seq AS first, to_seq AS last FROM span WHERE state = 'settled' AND ${ofBatch}`)
      .all(batch) as unknown as Span[];
    const others = database
      .prepare(`SELECT seq FROM history WHERE state <> 'sent' AND ${ofBatch}`)
      .all(batch) as unknown as { seq: number }[];
    const seqs = new Set<number>();
    for (const { first, last } of spans) for (let seq = first; seq <= last; seq++) seqs.add(seq);
    for (const { seq } of others) seqs.delete(seq);
    return seqs;
  } finally {
    database.close();
  }
}

import { existsSync, readFileSync } from 'node:fs';
import { readRecord } from '../../../sink/record.ts';

/** How often each Message-ID was accepted, over the records of all sinks. */
export function copiesIn(records: readonly string[]): Map<string, number> {
  const copies = new Map<string, number>();
  for (const path of records) {
    if (!existsSync(path)) continue;
    for (const { messageId } of readRecord(readFileSync(path, 'utf8')))
      copies.set(messageId, (copies.get(messageId) ?? 0) + 1);
  }
  return copies;
}

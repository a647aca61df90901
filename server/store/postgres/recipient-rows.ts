import type { ClaimedRecipient } from '../../dispatch/store.ts';
import type { Row } from './scope.ts';

/** Fresh recipients, as a task carries them, of rows [seq, address, name, variables]. */
export function recipientsOf(rows: readonly Row[]): ClaimedRecipient[] {
  return rows.map(([seq, address, name, variables]) => ({
    seq: Number(seq),
    address: address ?? '',
    name: name ?? undefined,
    variables: variables ?? undefined,
    attempts: 0,
    maybeSent: false,
  }));
}

import type { Relay } from '../../protocol/index.ts';
import type { Gate, RelaySession } from '../tasks/contract.ts';
import { PipelinedSession } from './pipelined-session.ts';
import { NodemailerSession } from './session.ts';
import { type SetUpOptions, setUp } from './set-up.ts';
import { offersBy, takeOver } from './take-over.ts';

/** Enough to hide the round trip to a near relay; each is one more mail in doubt when the connection breaks. */
const DEFAULT_DEPTH = 4;

export interface SessionOptions extends SetUpOptions {
  /** Most transactions in flight on one connection to a relay that offers CHUNKING; 1: BDAT is not used; absent: 4. */
  readonly depth?: number;
  /** Absent: whatever is begun may be sent. */
  readonly gate?: Gate;
}

/** Opens a session of the kind that the relay's offer allows. @throws SessionError */
export async function openSession(
  relay: Relay,
  options: SessionOptions,
  signal?: AbortSignal,
): Promise<RelaySession> {
  const connection = await setUp(relay, options, signal);
  const offers = offersBy(connection);
  if (!offers.pipelining) return new NodemailerSession(connection, offers, options.times, options.gate);
  const { times, depth = DEFAULT_DEPTH, gate } = options;
  return new PipelinedSession(takeOver(connection), offers, { times, depth, gate });
}

import type { Relay } from '../../protocol/index.ts';
import type { RelaySession } from '../tasks/contract.ts';
import { PipelinedSession } from './pipelined-session.ts';
import { NodemailerSession } from './session.ts';
import { type SessionOptions, setUp } from './set-up.ts';
import { extensionsOf, takeOver } from './take-over.ts';

/** Opens a session of the kind that the relay's offer allows. @throws SessionError */
export async function openSession(
  relay: Relay,
  options: SessionOptions,
  signal?: AbortSignal,
): Promise<RelaySession> {
  const connection = await setUp(relay, options, signal);
  if (!extensionsOf(connection).includes('PIPELINING'))
    return new NodemailerSession(connection, options.times);
  const { socket, offers } = takeOver(connection);
  return new PipelinedSession(socket, offers, options.times);
}

import type { Socket } from 'node:net';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import { SessionError } from '../tasks/contract.ts';
import { type Offers, offersOf } from './offers.ts';

/**
 * What SMTPConnection keeps to itself: it has no way to hand its socket over, nor an accessor for what the relay offers. Tests
 * hold these names against the installed version.
 */
interface Internals {
  /** Lines of the last reply to EHLO, without their codes and without the first one; absent after HELO. */
  readonly _ehloLines?: readonly string[];
  /** Replies that nobody has looked at, and the beginning of one. */
  readonly _responseQueue: readonly string[];
  readonly _remainder: string;
  readonly _onSocketData: (chunk: Buffer) => void;
  readonly _onSocketTimeout: () => void;
  readonly _onSocketClose: () => void;
  readonly _onSocketEnd: () => void;
  readonly _onSocketError: (error: Error) => void;
}

const internalsOf = (connection: SMTPConnection): Internals => connection as unknown as Internals;

/** What the relay said in its EHLO that it can do. */
export function offersBy(connection: SMTPConnection): Offers {
  return offersOf(internalsOf(connection)._ehloLines ?? []);
}

/**
 * The socket of a connection that is set up (greeted, encrypted, logged in) and idle; the connection hears of it no more.
 * @throws SessionError when the relay has ended the connection meanwhile, or has said more than it was asked
 */
export function takeOver(connection: SMTPConnection): Socket {
  const socket = connection._socket;
  const internals = internalsOf(connection);
  const unasked = [...internals._responseQueue, internals._remainder].join('\n').trim();
  if (unasked !== '') {
    connection.close();
    throw new SessionError({ stage: 'ehlo', phase: 'replied', reply: unasked });
  }
  if (!socket || connection.destroyed || socket.destroyed || socket.readableEnded || !socket.writable) {
    connection.close();
    throw new SessionError({ stage: 'connect', phase: 'not-sent', error: 'the connection ended' });
  }
  socket.setTimeout(0);
  socket.removeListener('data', internals._onSocketData);
  socket.removeListener('timeout', internals._onSocketTimeout);
  socket.removeListener('close', internals._onSocketClose);
  socket.removeListener('end', internals._onSocketEnd);
  socket.removeListener('error', internals._onSocketError);
  return socket;
}

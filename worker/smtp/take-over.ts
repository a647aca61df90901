import type { Socket } from 'node:net';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Offers } from './pipelined-session.ts';

/**
 * What SMTPConnection keeps to itself: it has no way to hand its socket over, nor an accessor for what the relay offers. Tests
 * hold these names against the installed version.
 */
interface Internals {
  readonly _supportedExtensions: readonly string[];
  readonly _onSocketData: (chunk: Buffer) => void;
  readonly _onSocketTimeout: () => void;
  readonly _onSocketClose: () => void;
  readonly _onSocketEnd: () => void;
  readonly _onSocketError: (error: Error) => void;
}

/** What the relay said in its EHLO that it can do, in upper case. */
export function extensionsOf(connection: SMTPConnection): readonly string[] {
  return (connection as unknown as Internals)._supportedExtensions;
}

/** The socket of a connection that is set up (greeted, encrypted, logged in) and idle; the connection hears of it no more. */
export function takeOver(connection: SMTPConnection): { socket: Socket; offers: Offers } {
  const socket = connection._socket;
  if (!socket) throw new Error('the connection has no socket to take over');
  const internals = connection as unknown as Internals;
  socket.setTimeout(0);
  socket.removeListener('data', internals._onSocketData);
  socket.removeListener('timeout', internals._onSocketTimeout);
  socket.removeListener('close', internals._onSocketClose);
  socket.removeListener('end', internals._onSocketEnd);
  socket.removeListener('error', internals._onSocketError);
  const extensions = extensionsOf(connection);
  return {
    socket,
    offers: {
      size: extensions.includes('SIZE'),
      eightBitMime: extensions.includes('8BITMIME'),
      smtpUtf8: extensions.includes('SMTPUTF8'),
    },
  };
}

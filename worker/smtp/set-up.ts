import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Relay } from '../../protocol/index.ts';
import { SessionError } from '../tasks/contract.ts';
import { refusesLogin } from './login-policy.ts';
import { factOfSetup, type SetupStage, type SmtpError } from './stage.ts';
import type { SmtpTimes } from './times.ts';

export interface SetUpOptions {
  readonly times: SmtpTimes;
  /** Name given in EHLO; absent: the host's. */
  readonly heloName?: string;
}

/** A reply longer than that is nobody's reply, bytes. */
const MAX_RESPONSE_BYTES = 64 * 1024;

/**
 * Connects to a relay, starts TLS as its STARTTLS, SECURE and VERIFY say, and logs in where it has a USER; nodemailer speaks.
 * @throws SessionError
 */
export async function setUp(
  relay: Relay,
  options: SetUpOptions,
  signal?: AbortSignal,
): Promise<SMTPConnection> {
  const { times } = options;
  const connection = new SMTPConnection(connectionOptions(relay, options));
  let stage: SetupStage = 'connect';
  const watch = setTimeout(() => {
    if (connection.stage === 'init') connection.emit('error', new Error('connection timed out'));
  }, times.connectMs);
  const deadline = setTimeout(
    () => connection.emit('error', new Error('the relay takes too long to set up a session')),
    times.connectMs + times.greetingMs + times.setupMs,
  );
  const giveUp = (): boolean => connection.emit('error', new Error('not needed any more'));
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on('error', reject);
      connection.connect((error) => {
        if (error !== undefined && error !== null) reject(error);
        else resolve();
      });
    });
    if (relay.USER !== undefined) {
      stage = 'auth';
      await login(connection, relay);
    }
  } catch (cause) {
    const error = cause as SmtpError;
    if (stage === 'connect' && connection.stage === 'connected') {
      const isGreeting =
        connection.lastServerResponse === false || (error.command === 'CONN' && error.response !== undefined);
      stage = isGreeting ? 'greeting' : 'ehlo';
    }
    connection.close();
    throw new SessionError(factOfSetup(error, stage), cause);
  } finally {
    clearTimeout(watch);
    clearTimeout(deadline);
    signal?.removeEventListener('abort', giveUp);
  }
  return connection;
}

function connectionOptions(relay: Relay, { times, heloName }: SetUpOptions): SMTPConnection.Options {
  const startTls = relay.STARTTLS ?? 'AUTO';
  return {
    host: relay.HOST,
    port: relay.PORT,
    secure: relay.SECURE,
    ignoreTLS: startTls === 'NEVER',
    requireTLS: startTls === 'ALWAYS' && !relay.SECURE,
    tls: { rejectUnauthorized: relay.VERIFY !== false },
    // It counts the greeting into its connection timeout, so the shorter limit on connecting is kept in `open`.
    connectionTimeout: times.connectMs + times.greetingMs,
    greetingTimeout: times.greetingMs,
    // Longer than every limit here, so that it never cuts in.
    socketTimeout: times.transactionMs + times.setupMs,
    socketCloseTimeout: times.quitMs,
    maxResponseSize: MAX_RESPONSE_BYTES,
    ...(heloName === undefined ? {} : { name: heloName }),
  };
}

async function login(connection: SMTPConnection, relay: Relay): Promise<void> {
  const refusal = refusesLogin(relay, connection.secure);
  if (refusal !== undefined) throw Object.assign(new Error(refusal), { code: 'EAUTH' });
  await new Promise<void>((resolve, reject) => {
    connection.on('error', reject);
    connection.on('end', () => reject(new Error('the relay ended the connection during AUTH')));
    connection.login({ user: relay.USER, pass: relay.PASS }, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

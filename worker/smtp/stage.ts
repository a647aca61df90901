import type { TransactionFact } from '../tasks/contract.ts';

/** The error of SMTPConnection, as far as it is used here. */
export interface SmtpError extends Error {
  readonly code?: string;
  readonly originalCode?: string;
  readonly command?: string;
  readonly response?: string;
}

/** How far the session's own record says that a transaction got. */
export type Progress = 'envelope' | 'body' | 'dot';

/** Where the set-up of a session was when it failed, by the session's own record. */
export type SetupStage = 'connect' | 'greeting' | 'ehlo' | 'auth';

/**
 * What a failed transaction means as a fact. The library names the phase `CONN` for every loss, so where nothing was
 * replied the session's own record decides.
 */
export function factOfFailure(error: SmtpError, progress: Progress): TransactionFact {
  const { command, response } = error;
  const text = { error: error.message };
  if (response === undefined) {
    // EENVELOPE and EMESSAGE without a reply: refused by the library before a byte was sent.
    if (error.code === 'EENVELOPE' || error.code === 'EMESSAGE') {
      return { stage: 'local', phase: 'not-sent', ...text };
    }
    return lost(progress, text);
  }
  switch (command) {
    case 'MAIL FROM':
      return { stage: 'mail', phase: 'replied', reply: response };
    case 'RCPT TO':
      return { stage: 'rcpt', phase: 'replied', reply: response };
    case 'DATA':
      return { stage: progress === 'envelope' ? 'data' : 'dot', phase: 'replied', reply: response };
    default:
      // A 421 out of turn, or half a reply before the connection broke: something was said, but not to the dot.
      return lost(progress, { reply: response });
  }
}

/** A transaction that ended without the reply it waited for. */
export function lost(progress: Progress, why: { error?: string; reply?: string }): TransactionFact {
  switch (progress) {
    case 'envelope':
      return { stage: 'mail', phase: 'not-sent', ...why };
    case 'body':
      return { stage: 'data', phase: 'not-sent', ...why };
    case 'dot':
      return { stage: 'dot', phase: 'sent-unconfirmed', ...why };
  }
}

const TLS_CODES = /^(ERR_(TLS|SSL)|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO$|ERR_OSSL)/;

/** What a failed set-up means as a fact; nothing was begun, so it is about the relay in every case. */
export function factOfSetup(error: SmtpError, stage: SetupStage): TransactionFact {
  const { response } = error;
  const end =
    response === undefined
      ? ({ phase: 'not-sent', error: error.message } as const)
      : ({ phase: 'replied', reply: response } as const);
  if (error.code === 'ETLS' || error.command === 'STARTTLS' || TLS_CODES.test(error.originalCode ?? '')) {
    return { stage: 'tls', ...end };
  }
  if (error.code === 'EAUTH') return { stage: 'auth', ...end };
  if (error.command === 'EHLO' || error.command === 'HELO') return { stage: 'ehlo', ...end };
  return { stage, ...end };
}

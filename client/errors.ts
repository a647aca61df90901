/** What every error of this library has: a stable code, and whether the same call may succeed later. */
export abstract class MutiraoError extends Error {
  /** Stable, for programs. `message` is for people. */
  abstract readonly code: string;
  /** True: the same call may succeed later. */
  abstract readonly retry: boolean;
}

/** The server has answered NACK. `code` is the server's, such as `UNKNOWN_BATCH` or `TEMPLATE_INVALID`. */
export class ServerRefusedError extends MutiraoError {
  override readonly name = 'ServerRefusedError';
  readonly code: string;
  readonly retry: boolean;
  /** Path of the wrong key in the message that was refused, such as `MESSAGE.FROM`. */
  readonly field?: string;

  constructor(refusal: { code: string; message: string; retry?: boolean; field?: string }) {
    super(refusal.message);
    this.code = refusal.code;
    this.retry = refusal.retry ?? false;
    if (refusal.field !== undefined) this.field = refusal.field;
  }
}

/** Why no connection came about. */
export type ConnectFailure =
  | 'refused'
  | 'not-found'
  | 'timeout'
  | 'tls'
  | 'unauthorized'
  | 'not-a-server'
  | 'other';

/** No connection came about. `reason` says why, `cause` is the error of the socket. */
export class CannotConnectError extends MutiraoError {
  override readonly name = 'CannotConnectError';
  readonly code = 'CANNOT_CONNECT';
  readonly retry: boolean;
  readonly reason: ConnectFailure;
  readonly server: string;

  constructor(server: string, reason: ConnectFailure, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.server = server;
    this.reason = reason;
    this.retry = reason === 'refused' || reason === 'timeout' || reason === 'other';
  }
}

/** The connection broke. What was asked for on it may or may not have been done. */
export class ConnectionLostError extends MutiraoError {
  override readonly name = 'ConnectionLostError';
  readonly code = 'CONNECTION_LOST';
  readonly retry = true;
  /**
   * True only of a SUBMIT without KEY whose COMMIT was on its way: the batch may exist, and submitting it again
   * may send it twice. Look at `batches()` first.
   */
  readonly maybeCommitted: boolean;

  constructor(message: string, options: { cause?: unknown; maybeCommitted?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.maybeCommitted = options.maybeCommitted ?? false;
  }
}

/** The submission cannot be put on the wire as it is: found out here, before or while it is sent. */
export class InvalidSubmissionError extends MutiraoError {
  override readonly name = 'InvalidSubmissionError';
  readonly code = 'INVALID_SUBMISSION';
  readonly retry = false;
}

/** The server's answer is not one that this version understands. */
export class UnexpectedAnswerError extends MutiraoError {
  override readonly name = 'UnexpectedAnswerError';
  readonly code = 'UNEXPECTED_ANSWER';
  readonly retry = false;
}

/** The client was used after `close()`. */
export class ClientClosedError extends MutiraoError {
  override readonly name = 'ClientClosedError';
  readonly code = 'CLIENT_CLOSED';
  readonly retry = false;
}

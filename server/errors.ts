/** Why a server could not be started. The message says what to do. */
export type ServerErrorCode =
  | 'PORT_IN_USE'
  | 'CANNOT_LISTEN'
  | 'INSECURE'
  | 'TLS_INVALID'
  | 'DKIM_INVALID'
  | 'IDENTITY_INVALID';

export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}

/** Why a server could not be started, or cannot go on. The message says what to do. */
export type ServerErrorCode =
  | 'PORT_IN_USE'
  | 'CANNOT_LISTEN'
  | 'INSECURE'
  | 'TLS_INVALID'
  | 'DKIM_INVALID'
  | 'IDENTITY_INVALID'
  /** Another server of the mesh runs under this one's identity. */
  | 'IDENTITY_IN_USE';

/**
 * Exit code of a server that is a copy of another one: EX_CONFIG of sysexits.h, so that a supervisor can be told not to start it again
 * (systemd: `RestartPreventExitStatus=78`).
 */
export const EXIT_IDENTITY_IN_USE = 78;

export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}

/** An error as it stands in a record. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: unknown;
}

/** A longer chain of causes says nothing more. */
const MAX_CAUSES = 5;

/**
 * The fields of an error that are known to be harmless. Others are left out: libraries hang commands,
 * envelopes and options on their errors, and those hold addresses and passwords.
 */
export function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const logged: LoggedError = {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= MAX_CAUSES
      ? {}
      : { cause: serializeError(error.cause, depth + 1) }),
  };
  return logged;
}

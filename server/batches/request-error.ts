/** A client's request that cannot be done. The code is stable; the message says what to do. */
export type RequestErrorCode =
  | 'MESSAGE_INVALID'
  | 'TEMPLATE_INVALID'
  | 'NO_OPEN_BATCH'
  | 'BATCH_SPOILED'
  | 'BATCH_ALREADY_OPEN'
  | 'EMPTY_BATCH'
  | 'REJECTED'
  | 'KEY_REUSED'
  | 'TOO_LARGE'
  | 'UNKNOWN_BATCH'
  | 'UNKNOWN_RELAY'
  | 'WRONG_STATE'
  | 'EXPIRED'
  | 'STOPPING'
  /** Another server removed the batch that was being submitted, because this one was not heard of in time. */
  | 'SUBMISSION_LOST';

export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: RequestErrorCode;
  readonly field: string | undefined;
  readonly retry: boolean | undefined;

  constructor(
    code: RequestErrorCode,
    message: string,
    options: { field?: string; retry?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.retry = options.retry;
  }
}

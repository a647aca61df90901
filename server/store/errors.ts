/** Why a store could not do what it was asked. */
export type StoreErrorCode =
  /** The disk is full, the file is read-only, the connection is lost: try again later. */
  | 'STORE_UNAVAILABLE'
  /** Another process has this data folder open. */
  | 'STORE_IN_USE'
  /** The folder cannot be made or written. */
  | 'STORE_NOT_WRITABLE'
  /** The file was written by a newer version. */
  | 'STORE_TOO_NEW'
  /** Another batch was committed under this key. */
  | 'KEY_TAKEN'
  /** The batch is not open (it was committed, dropped or never there). */
  | 'BATCH_NOT_OPEN';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** The same call may succeed later. */
  readonly retry: boolean;

  constructor(code: StoreErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
    this.retry = code === 'STORE_UNAVAILABLE';
  }
}

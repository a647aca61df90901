/** Why a store could not do what it was asked. */
export type StoreErrorCode =
  /** The disk is full, the file is read-only, the connection is lost: try again later. */
  | 'STORE_UNAVAILABLE'
  /** Another process has this data folder open. */
  | 'STORE_IN_USE'
  /** The folder cannot be made or written. */
  | 'STORE_NOT_WRITABLE'
  /** The file is damaged, or no store at all. */
  | 'STORE_DAMAGED'
  /** The file was written by a newer version. */
  | 'STORE_TOO_NEW'
  /** Another batch was committed under this key. */
  | 'KEY_TAKEN'
  /** The batch is not open (it was committed, dropped or never there). */
  | 'BATCH_NOT_OPEN'
  /** Another server owns the batch, or took over this server's name: nothing was changed, and it is not to be tried again. */
  | 'NOT_OWNER';

/** The data folder cannot be made or written. */
export function folderNotWritable(folder: string, cause: unknown): StoreError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(
    'STORE_NOT_WRITABLE',
    `the data folder ${folder} cannot be written (${why}); make it writable for this user, free some space, or choose another --data folder`,
    { cause },
  );
}

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** The same call may succeed later. */
  readonly retry: boolean;
  /** NOT_OWNER: the batch that another server owns; undefined: this server owns nothing any more. */
  readonly batch: string | undefined;

  constructor(code: StoreErrorCode, message: string, options: { cause?: unknown; batch?: string } = {}) {
    super(message, { cause: options.cause });
    this.batch = options.batch;
    this.code = code;
    this.retry = code === 'STORE_UNAVAILABLE';
  }
}

/** Another server owns what was to be written. */
export function isNotOwner(error: unknown): error is StoreError {
  return error instanceof StoreError && error.code === 'NOT_OWNER';
}

import { StoreError } from '../errors.ts';

/** SQLite's primary result codes that speak of the disk, the file or memory, and not of the statement. */
const STORAGE_CODES: ReadonlyMap<number, string> = new Map([
  [3, 'access to the file is denied; check its owner and mode'],
  [5, 'another process keeps the file locked; end it'],
  [6, 'the file is locked; try again'],
  [7, 'out of memory'],
  [8, 'the file or its disk is read-only; make it writable'],
  [10, 'reading or writing the disk failed; check the disk'],
  [11, 'the file is damaged; restore it from a backup'],
  [13, 'the disk is full; free some space'],
  [14, 'the file cannot be opened; check the folder, its owner and the limit of open files'],
  [15, 'the file is locked; try again'],
  [26, 'the file is not a database; restore it from a backup'],
]);

/** The primary result code of an error of node:sqlite; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined;
  return error.errcode & 0xff;
}

/** STORE_UNAVAILABLE when this error speaks of the storage; undefined when it is the statement's own fault. */
export function storageFailure(error: unknown): StoreError | undefined {
  const code = sqliteCode(error);
  const advice = code === undefined ? undefined : STORAGE_CODES.get(code);
  if (advice === undefined) return undefined;
  return new StoreError('STORE_UNAVAILABLE', `the store cannot do this now: ${advice}`, { cause: error });
}

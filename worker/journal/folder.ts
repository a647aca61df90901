import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { WorkerError } from '../errors.ts';

/** Where workers that are told no folder have theirs. */
const DEFAULT_PARENT = '.mutirao';
/** Folders looked at: far more workers than a machine has room for. */
const MAX_FOLDERS = 1_000;
const SQLITE_BUSY = 5;

/** A data folder that is this worker's alone, until `release` or the end of the process, however it ends. */
export interface WorkerFolder {
  readonly path: string;
  release(): void;
}

/**
 * Takes the data folder of a worker: the one that is named, or else the first of `.mutirao/worker-1`, `-2`, … that no other
 * worker has.
 * @throws WorkerError DATA_IN_USE, DATA_UNUSABLE
 */
export function takeFolder(named: string | undefined): WorkerFolder {
  if (named !== undefined) {
    const folder = tryFolder(named);
    if (folder !== undefined) return folder;
    throw new WorkerError(
      'DATA_IN_USE',
      `the data folder ${named} is in use by another worker; stop that one, or start this one with another --data folder`,
    );
  }
  for (let number = 1; number <= MAX_FOLDERS; number++) {
    const folder = tryFolder(join(DEFAULT_PARENT, `worker-${number}`));
    if (folder !== undefined) return folder;
  }
  throw new WorkerError(
    'DATA_IN_USE',
    `${MAX_FOLDERS} workers have their data in ${DEFAULT_PARENT}: name another folder with --data`,
  );
}

/**
 * An exclusive transaction that never ends: the system releases it when the process dies, so that there is no stale lock to clear away.
 * Undefined: another process has it.
 */
function tryFolder(path: string): WorkerFolder | undefined {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(path, { recursive: true });
    database = new DatabaseSync(join(path, 'worker-lock.db'), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    const taken = database;
    return { path, release: () => taken.close() };
  } catch (cause) {
    database?.close();
    if (((cause as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return undefined;
    throw new WorkerError(
      'DATA_UNUSABLE',
      `the data folder ${path} cannot be written (${(cause as Error).message}): make room, or name another with --data`,
      { cause },
    );
  }
}

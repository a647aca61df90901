import { DatabaseError } from 'pg';
import { StoreError } from '../errors.ts';

/** SQLSTATEs of the fence (see migrations.ts). */
export const NAME_TAKEN_OVER = 'MU001';
export const BATCHES_ADOPTED = 'MU002';

export const UNIQUE_VIOLATION = '23505';

/** Classes of SQLSTATE that speak of the database and its machine, and not of the statement. */
const STORAGE_CLASSES: ReadonlyMap<string, string> = new Map([
  ['08', 'the connection to PostgreSQL is lost; it is made anew'],
  ['25', 'PostgreSQL is read-only (a standby, or default_transaction_read_only); connect to the primary'],
  ['28', 'PostgreSQL refuses the user or password; check --store'],
  ['53', 'PostgreSQL is out of room, memory or connections; free some, or raise max_connections'],
  ['54', 'a limit of PostgreSQL is exceeded'],
  ['55', 'PostgreSQL is not ready for this; try again'],
  ['57', 'PostgreSQL is shutting down, starting up, or broke off a statement that took too long'],
  ['58', 'PostgreSQL cannot read or write its disk; check the disk'],
  ['F0', 'the configuration of PostgreSQL is damaged'],
  ['XX', 'PostgreSQL found its data damaged; look into its log'],
]);

/** Two transactions waited for each other, or could not be put into an order: the same may succeed at once. */
const COLLISIONS: ReadonlySet<string> = new Set(['40001', '40P01']);

export function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

export function isCollision(error: unknown): boolean {
  return COLLISIONS.has(sqlState(error) ?? '');
}

/**
 * Whether the connection is over, and with it the knowledge of what was committed. PostgreSQL ends one with an error of
 * class 57P, or of severity FATAL or worse.
 */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  return error.severity === 'FATAL' || error.severity === 'PANIC' || (error.code ?? '').startsWith('57P');
}

/** STORE_UNAVAILABLE when this error speaks of the database, its machine or the way there; undefined when it is the statement's own fault. */
export function storageFailure(error: unknown): StoreError | undefined {
  if (error instanceof StoreError) return error.code === 'STORE_UNAVAILABLE' ? error : undefined;
  let advice: string | undefined;
  if (error instanceof DatabaseError) {
    if (isCollision(error)) advice = 'PostgreSQL could not put two transactions into an order; try again';
    else advice = STORAGE_CLASSES.get((error.code ?? '').slice(0, 2));
  } else if (isLineTrouble(error)) {
    advice = 'PostgreSQL cannot be reached; check that it runs, and --store';
  }
  if (advice === undefined) return undefined;
  return new StoreError('STORE_UNAVAILABLE', `the store cannot do this now: ${advice}`, { cause: error });
}

/** Why the store could not be opened, with what the reader can do. */
export function openingFailure(error: unknown, location: string): StoreError {
  const why = error instanceof Error && error.message !== '' ? error.message : String(error);
  const state = sqlState(error) ?? '';
  if (state.startsWith('28') || state.startsWith('3D') || state.startsWith('42')) {
    return new StoreError(
      'STORE_NOT_WRITABLE',
      `the store ${location} cannot be opened (${why}); check the user, password and database of --store, and that the user may create a schema there`,
      { cause: error },
    );
  }
  return new StoreError(
    'STORE_UNAVAILABLE',
    `the store ${location} cannot be opened (${why}); check that PostgreSQL runs there, and --store`,
    { cause: error },
  );
}

/** What sockets, name look-ups, TLS and the pool say. */
function isLineTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && /^(E[A-Z]|ERR_)/.test(error.code)) return true;
  if (error instanceof AggregateError) return true;
  return /connection|timeout|terminated|not queryable|ended|SSL|SASL|password/i.test(error.message);
}

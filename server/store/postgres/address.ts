import type { ClientConfig } from 'pg';
import { STATEMENT_TIMEOUT_MS } from './writer.ts';

/** How long it may take to connect, ms; also how long a reader waits for a free connection of the pool. */
export const CONNECT_WITHIN_MS = 5_000;

/** Between two signs of life on an idle connection, ms. */
const KEEP_ALIVE_MS = 10_000;

/** How connections to the database at this address (`postgres://…`) are made. */
export function clientConfig(url: string, connectWithinMs = CONNECT_WITHIN_MS): ClientConfig {
  return {
    connectionString: url,
    application_name: 'mutirao',
    connectionTimeoutMillis: connectWithinMs,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  };
}

/** The address without its password and other parameters, for people. */
export function publicAddress(url: string): string {
  if (!URL.canParse(url)) return 'postgres://…';
  const { protocol, username, host, pathname } = new URL(url);
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`;
}

import { CannotConnectError } from './errors.ts';

/** The port that a server listens on when it is told nothing else. */
export const DEFAULT_PORT = 8765;

/**
 * The URL of a server from what people write: `ws://host:port`, `wss://…`, `http(s)://…`, `host` or `host:port`.
 * Without a scheme it is `ws://`, and the port is 8765 unless given.
 *
 * @throws CannotConnectError when it is none of these
 */
export function serverUrl(written: string): string {
  const text = written.trim();
  const bare = !/^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const candidate = bare ? `ws://${text}` : text.replace(/^http(s?):/i, 'ws$1:');
  const url = URL.canParse(candidate) ? new URL(candidate) : undefined;
  if (url === undefined || (url.protocol !== 'ws:' && url.protocol !== 'wss:') || url.hostname === '') {
    const message = `"${written}" is not the address of a server; write it like ws://127.0.0.1:${DEFAULT_PORT}`;
    throw new CannotConnectError(written, 'not-found', message);
  }
  if (url.username !== '' || url.password !== '') {
    const message = 'the address of the server must not contain a user or password; give the token by itself';
    throw new CannotConnectError(`${url.protocol}//${url.host}`, 'not-found', message);
  }
  if (bare && url.port === '') url.port = String(DEFAULT_PORT);
  url.hash = '';
  return url.pathname === '/' && url.search === '' ? `${url.protocol}//${url.host}` : url.href;
}

import { isIP } from 'node:net';
import type { Relay } from '../../protocol/index.ts';

/** Whether the host is this machine itself: what is said to it crosses no network. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1' || name.startsWith('::ffff:127.');
}

/** Why the worker will not log in over this link; undefined: it may. */
export function refusesLogin(relay: Relay, isEncrypted: boolean): string | undefined {
  if (isEncrypted || relay.CLEAR_AUTH === true || isLoopback(relay.HOST)) return undefined;
  return (
    `will not log in to ${relay.HOST} over an unencrypted link: the relay offers no STARTTLS. ` +
    'Use TLS, or allow it with clearAuth for this relay'
  );
}

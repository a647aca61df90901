import { isIP } from 'node:net';
import type { ServerSettings } from '../config/index.ts';
import { ServerError } from './errors.ts';

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || /^::ffff:127\./i.test(host);
}

/** Refuses to listen beyond loopback without tokens. @throws ServerError INSECURE */
export function checkExposure(
  settings: Pick<ServerSettings, 'host' | 'insecure' | 'tokenWorker' | 'tokenClient' | 'tokenMesh'>,
): void {
  if (settings.insecure || isLoopback(settings.host)) return;
  const missing = (['tokenWorker', 'tokenClient', 'tokenMesh'] as const).filter(
    (name) => settings[name] === undefined,
  );
  if (missing.length === 0) return;
  const flags = missing.map((name) => `--${name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new ServerError(
    'INSECURE',
    `listening on ${settings.host} would let anyone on the network send mail through your relays: give ${flags.join(', ')} (or the -file form), or --insecure if the network is closed`,
  );
}

import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { ServerSettings } from '../config/index.ts';
import type { Endpoint } from '../protocol/index.ts';
import { type MeshSettings, meshDefaults } from './mesh/settings.ts';

/** What the operator's settings mean for the mesh. */
export function meshSettings(settings: ServerSettings): MeshSettings {
  return {
    ...meshDefaults(settings.heartbeat),
    peers: settings.peer.map(endpointOf),
    suspectAfterMs: (settings.suspectAfter + 0.5) * settings.heartbeat,
    deadAfterMs: (settings.deadAfter + 0.5) * settings.heartbeat,
    borrowAboveS: settings.borrowAbove / 1000,
    targetDrainS: settings.borrowAbove / 1000,
    returnBelowS: settings.returnBelow / 1000,
    keepHome: settings.keepHome,
    minLoanMs: settings.minLoan,
    lendMs: settings.maxLoan,
  };
}

/** `ws://host:port` as an endpoint. */
export function endpointOf(text: string): Endpoint {
  const url = new URL(text);
  const tls = url.protocol === 'wss:';
  return {
    IP: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    PORT: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
    ...(tls ? { TLS: true } : {}),
  };
}

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** The first address under which other machines may know this one. */
function machineAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}

/**
 * Where others reach this server: what --advertise says, or else where it listens; where that is every address, the
 * machine's first one.
 */
export function advertised(
  settings: Pick<ServerSettings, 'advertise' | 'host' | 'tlsCert'>,
  port: number,
): Endpoint {
  const scheme = settings.tlsCert === undefined ? 'ws' : 'wss';
  const host = isWildcard(settings.host) ? machineAddress() : settings.host;
  const said = settings.advertise ?? host;
  const text = isIP(said) === 6 ? `[${said}]` : said;
  return endpointOf(`${scheme}://${/:\d+$/.test(text) ? text : `${text}:${port}`}`);
}

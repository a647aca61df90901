import { count, duration, oneLine, perSecond } from './format.ts';

type Facts = Readonly<Record<string, unknown>>;

/** A server's account of itself, as far as it is understood: other versions may tell more or less. */
export function serverOverview(address: string, server: Facts): string {
  const id = typeof server.SERVER_UUID === 'string' ? `  ${oneLine(server.SERVER_UUID)}` : '';
  const lines = [`server ${address}${id}`];
  const load = factsOf(server.LOAD);
  if (load !== undefined) lines.push(`  backlog   ${backlog(load)}`, `  workers   ${workers(load)}`);
  for (const relay of listOf(server.RELAYS)) lines.push(`  relay     ${relayLine(relay)}`);
  for (const peer of listOf(server.PEERS)) lines.push(`  peer      ${peerLine(peer)}`);
  return lines.join('\n');
}

function backlog(load: Facts): string {
  const parts = [`${count(numberOf(load.READY))} ready`, `${count(numberOf(load.SENDING))} being sent`];
  const rate = numberOf(load.RATE);
  if (rate > 0) parts.push(perSecond(rate));
  if (rate > 0 && numberOf(load.DRAIN_S) > 0) parts.push(`${duration(numberOf(load.DRAIN_S))} left`);
  return parts.join(', ');
}

function workers(load: Facts): string {
  const parts = [`${count(numberOf(load.WORKERS))} connected`, `${count(numberOf(load.IDLE))} idle`];
  if (numberOf(load.BORROWED) > 0) parts.push(`${count(numberOf(load.BORROWED))} borrowed`);
  if (numberOf(load.LENT) > 0) parts.push(`${count(numberOf(load.LENT))} lent`);
  return parts.join(', ');
}

function relayLine(relay: Facts): string {
  return facts(relay, ['NAME', 'HOST', 'PORT'], ['STATE', 'BREAKER']);
}

function peerLine(peer: Facts): string {
  return facts(peer, ['IP', 'PORT', 'ADDRESS'], ['STATE']);
}

function facts(from: Facts, names: readonly string[], states: readonly string[]): string {
  const said = (keys: readonly string[]) =>
    keys.map((key) => from[key]).filter((value) => typeof value === 'string' || typeof value === 'number');
  return oneLine([...said(names), ...said(states)].join(' '));
}

function factsOf(value: unknown): Facts | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Facts) : undefined;
}

function listOf(value: unknown): Facts[] {
  return Array.isArray(value) ? value.map(factsOf).filter((entry) => entry !== undefined) : [];
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

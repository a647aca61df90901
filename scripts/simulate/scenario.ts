import {
  loadSettings,
  type RelaySettings,
  SERVER_SETTINGS,
  type ServerSettings,
} from '../../config/index.ts';
import { Chance } from './engine/chance.ts';
import type { RelayHabits } from './town/relay.ts';

const SECOND = 1_000;

/** What can go wrong. */
export const FAULTS = [
  'killWorker',
  'vanishWorker',
  'freezeWorker',
  'stopWorker',
  'killServer',
  'vanishServer',
  'freezeServer',
  'stopServer',
  'partition',
  'oneWayCut',
  'cutWorker',
  'reset',
  'relayMood',
  'clockJump',
  'diskFull',
  'clientAction',
  'replayTicket',
] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface RelayPlan {
  readonly settings: RelaySettings;
  readonly habits: RelayHabits;
}

export interface ServerPlan {
  readonly name: string;
  readonly uuid: string;
  readonly workers: number;
  readonly relays: readonly RelayPlan[];
  readonly settings: ServerSettings;
}

export interface BatchPlan {
  readonly key: string;
  /** Index of the server. */
  readonly server: number;
  readonly at: number;
  readonly recipients: number;
  readonly onUnknown: 'RETRY' | 'HOLD';
  readonly expiresS: number | undefined;
}

/** Everything about a story that is settled before it begins. Times in virtual ms. */
export interface Scenario {
  readonly seed: number;
  readonly size: 'small' | 'medium' | 'large';
  readonly servers: readonly ServerPlan[];
  readonly worker: { readonly connections: number; readonly inFlight: number; readonly depth: number };
  /** Workers have the other servers behind their home. */
  readonly fallbacks: boolean;
  /** A worker that is started again is the same worker, and knows what it had begun. */
  readonly journal: boolean;
  readonly batches: readonly BatchPlan[];
  readonly delayMs: { readonly min: number; readonly max: number };
  readonly commitMs: { readonly min: number; readonly max: number };
  /** Kinds of faults, one after the other; none: a quiet story. */
  readonly faults: readonly FaultKind[];
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  /** Faults come from the beginning until then. */
  readonly faultsUntil: number;
  /** When they are over and mended, everything must be finished within this time. */
  readonly healWithinMs: number;
}

const DEFAULTS = loadSettings(SERVER_SETTINGS, { flags: {}, environment: {} });

/** The story of a seed. */
export function scenarioOf(seed: number): Scenario {
  const chance = new Chance(seed, 'scenario');
  const size = sizeOf(chance);
  const serverCount = {
    small: chance.whole(3, 4),
    medium: chance.whole(3, 8),
    large: Math.round(chance.spread(9, 50)),
  }[size];
  const workerCount = {
    small: chance.whole(2, 8),
    medium: chance.whole(8, 40),
    large: Math.round(chance.spread(60, 1_000)),
  }[size];
  const settings = commonSettings(chance, size);
  const servers = Array.from({ length: serverCount }, (_, i) =>
    serverPlan(chance, i, serverCount, settings, shareOf(chance, workerCount, serverCount, i)),
  );
  const faults = faultsOf(chance);
  const faultsUntil =
    faults.length === 0 ? 10 * SECOND : chance.between(15, size === 'large' ? 25 : 60) * SECOND;
  return {
    seed,
    size,
    servers,
    worker: workerPlan(chance),
    fallbacks: chance.hits(0.15),
    journal: chance.hits(0.6),
    batches: batchesOf(chance, size, serversThatCanSend(servers), faultsUntil),
    delayMs: { min: chance.spread(0.1, 2), max: chance.spread(2, 120) },
    commitMs: { min: chance.spread(0.2, 2), max: chance.spread(2, 100) },
    faults,
    faultEveryMs: chance.spread(300, 6_000) * (size === 'large' ? 0.5 : 1),
    faultsUntil,
    healWithinMs: 30 * 60 * SECOND,
  };
}

function sizeOf(chance: Chance): Scenario['size'] {
  const lot = chance.next();
  return lot < 0.8 ? 'small' : lot < 0.993 ? 'medium' : 'large';
}

/** The workers are spread unevenly: the first servers have most, and some have none. */
function shareOf(chance: Chance, workers: number, servers: number, index: number): number {
  if (index > 0 && chance.hits(0.15)) return 0;
  const weight = (i: number): number => 1 / (i + 1);
  const total = Array.from({ length: servers }, (_, i) => weight(i)).reduce((sum, one) => sum + one, 0);
  return Math.round((workers * weight(index)) / total);
}

function commonSettings(chance: Chance, size: Scenario['size']): Partial<ServerSettings> {
  const retryBase = chance.spread(0.5, 30) * SECOND;
  const breakerOpen = chance.spread(0.5, 20) * SECOND;
  return {
    lease: chance.spread(1.5, 40) * SECOND,
    taskSeconds: chance.spread(0.3, 10) * SECOND,
    park: chance.between(2, 20) * SECOND,
    retryBase,
    retryCap: retryBase * chance.between(1, 8),
    retryFor: 10 * 60 * SECOND,
    expires: 24 * 3_600 * SECOND,
    breakerThreshold: chance.whole(2, 6),
    breakerOpen,
    breakerCap: breakerOpen * chance.between(1, 6),
    policyThreshold: chance.whole(3, 10),
    // Each server tells each of all others: many servers are given more time.
    heartbeat: (size === 'large' ? chance.between(2, 4) : chance.spread(0.3, 2)) * SECOND,
    borrowAbove: chance.spread(0.5, 5) * SECOND,
    returnBelow: chance.spread(0.1, 0.5) * SECOND,
    keepHome: chance.whole(0, 2),
    minLoan: chance.between(1, 4) * SECOND,
    maxLoan: chance.spread(5, 120) * SECOND,
    drain: chance.between(2, 25) * SECOND,
  };
}

function serverPlan(
  chance: Chance,
  index: number,
  count: number,
  common: Partial<ServerSettings>,
  workers: number,
): ServerPlan {
  const name = `server-${index}`;
  const relays = Array.from({ length: chance.whole(1, 3) }, (_, i) => relayPlan(chance, index, i));
  // One peer is enough to join; a ring makes one mesh of all.
  const next = `ws://10.0.0.${((index + 1) % count) + 1}:8765`;
  return {
    name,
    uuid: `${chance.whole(10, 99)}-${name}`,
    workers,
    relays,
    settings: {
      ...DEFAULTS,
      ...common,
      peer: [next],
      relay: relays.map(({ settings }) => settings),
    },
  };
}

function relayPlan(chance: Chance, server: number, index: number): RelayPlan {
  const isLimited = chance.hits(0.4);
  return {
    settings: {
      name: `relay-${server}-${index}`,
      host: `relay-${server}-${index}`,
      port: 25,
      secure: false,
      starttls: 'AUTO',
      verify: true,
      clearAuth: false,
      weight: chance.whole(1, 3),
      ...(isLimited ? { connections: chance.whole(1, 6) } : {}),
    },
    habits: {
      serviceMs: chance.spread(2, 200),
      latencyMs: chance.spread(0.2, 60),
      refused: chance.hits(0.5) ? chance.next() * 0.1 : 0,
      putOff: chance.hits(0.5) ? chance.next() * 0.15 : 0,
      cut: chance.spread(0.02, 0.6),
    },
  };
}

function workerPlan(chance: Chance): Scenario['worker'] {
  const connections = chance.whole(1, 5);
  return { connections, inFlight: connections * chance.whole(1, 20), depth: chance.whole(1, 4) };
}

function faultsOf(chance: Chance): FaultKind[] {
  const lot = chance.next();
  // Stories with few kinds of faults find what in others is hidden behind the next fault.
  if (lot < 0.08) return [];
  if (lot < 0.4) return chance.some(FAULTS, chance.whole(1, 2));
  if (lot < 0.8) return chance.some(FAULTS, chance.whole(3, 6));
  return [...FAULTS];
}

/** Indices of the servers that batches may be submitted to: those with workers of their own, and those for which others can spare some. */
function serversThatCanSend(servers: readonly ServerPlan[]): { own: number[]; borrowed: number[] } {
  const hasSpare = servers.some(({ workers, settings }) => workers > settings.keepHome);
  return {
    own: servers.flatMap(({ workers }, i) => (workers > 0 ? [i] : [])),
    borrowed: servers.flatMap(({ workers }, i) => (workers === 0 && hasSpare ? [i] : [])),
  };
}

function batchesOf(
  chance: Chance,
  size: Scenario['size'],
  { own, borrowed }: { readonly own: readonly number[]; readonly borrowed: readonly number[] },
  until: number,
): BatchPlan[] {
  const count = { small: chance.whole(1, 4), medium: chance.whole(2, 10), large: chance.whole(6, 24) }[size];
  const most = { small: 300, medium: 600, large: 900 }[size];
  // Most of them come to few servers, so that these need the workers of the others.
  const servers = [...own, ...borrowed];
  const favourite = chance.pick(borrowed.length > 0 && chance.hits(0.4) ? borrowed : servers);
  return Array.from({ length: count }, (_, i) => ({
    key: `batch-${i}`,
    server: chance.hits(0.6) ? favourite : chance.pick(servers),
    at: chance.hits(0.5) ? chance.between(0, 3_000) : chance.between(0, until * 0.8),
    recipients: Math.round(chance.hits(0.3) ? chance.between(most / 3, most) : chance.spread(3, most / 2)),
    onUnknown: chance.hits(0.25) ? 'HOLD' : 'RETRY',
    expiresS: chance.hits(0.05) ? chance.between(5, 60) : undefined,
  }));
}

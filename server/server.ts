import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { ServerSettings } from '../config/index.ts';
import type { Logger } from '../logging/index.ts';
import { type Endpoint, endpointUrl } from '../protocol/index.ts';
import { type ClockSource, SteadyClock } from './clock.ts';
import { buildCore, type ServerCore } from './core.ts';
import { DkimKeys } from './dkim-keys.ts';
import { ServerError } from './errors.ts';
import { checkExposure } from './exposure.ts';
import { Gateway } from './gateway/gateway.ts';
import { httpApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { loadIdentity } from './identity.ts';
import { hostId } from './instance/host.ts';
import { Instance } from './instance/instance.ts';
import { advertised } from './mesh-settings.ts';
import { openStore } from './store/index.ts';
import { processTimer } from './timers.ts';
import { VERSION } from './version.ts';

/** A server that runs. */
export interface RunningServer {
  readonly uuid: string;
  /** Where peers and workers reach it. */
  readonly endpoint: Endpoint;
  readonly url: string;
  /** What it knows of itself, for people and programs. */
  snapshot(): Record<string, unknown>;
  /**
   * Takes nothing new, lets workers finish or hand back, sends borrowed ones home, and closes; within the
   * `drain` setting and a few seconds. Idempotent.
   */
  stop(): Promise<void>;
  /** Makes a stop wait no longer. */
  hurry(): void;
  /** Resolves when the server must not go on: stop it. */
  readonly failed: Promise<ServerError>;
}

/** What a server is on, where a test says otherwise. */
export interface Surroundings {
  readonly clock?: ClockSource;
  /** Tells this machine from others. */
  readonly host?: string;
}

/** The data folder of a server with these settings. */
export function dataFolder(settings: Pick<ServerSettings, 'data' | 'port'>): string {
  return settings.data ?? join('.mutirao', `server-${settings.port}`);
}

/**
 * Starts a server: the one place where its parts are put together.
 * @throws ServerError, StoreError with a message that says what to do
 */
export async function startServer(
  settings: ServerSettings,
  logger: Logger,
  surroundings: Surroundings = {},
): Promise<RunningServer> {
  checkExposure(settings);
  const dkim = new DkimKeys(settings.dkim);
  const log = (part: string): Logger => logger.child({ part });
  const folder = dataFolder(settings);
  const clock = new SteadyClock(surroundings.clock);
  const now = (): number => clock.now();
  const hurry = new AbortController();

  let running: ServerCore | undefined;
  const app = httpApp({
    version: VERSION,
    readiness: () => {
      if (running?.phase !== 'running')
        return { ready: false, reasons: [`the server is ${running?.phase ?? 'starting'}`] };
      const { conditions } = running.health;
      return { ready: !conditions.some(({ isDown }) => isDown), reasons: conditions.map(({ text }) => text) };
    },
  });
  const { server: http, port } = await listen(app, settings);
  const store = openStore({ store: settings.store, folder, logger: log('store'), now });
  let uuid: string;
  let instance: Instance;
  try {
    await store.start();
    uuid = loadIdentity(folder).uuid;
    const url = endpointUrl(advertised(settings, port));
    await store.register({ server: uuid, url, leaseMs: settings.ownerLease });
    instance = await Instance.begin({
      store,
      folder,
      // A database is used from several machines.
      host: store.snapshot().kind === 'sqlite' ? (surroundings.host ?? hostId()) : undefined,
      acceptCopy: settings.acceptCopy,
      staleAfterMs: settings.staleAfter,
      logger: log('store'),
      now,
    });
  } catch (error) {
    http.close();
    await store.stop();
    throw error;
  }
  http.on('error', (error) => log('http').error({ err: error }, 'a connection could not be taken'));
  const identity = { uuid, address: advertised(settings, port), instance: uuidv7() };
  const failed = Promise.withResolvers<ServerError>();

  const core = buildCore({
    settings,
    identity,
    store,
    instance,
    clock,
    setTimer: processTimer,
    random: Math.random,
    dkim,
    logger,
    identityLost: (where) => failed.resolve(identityInUse(where, folder)),
    nameLost: () => failed.resolve(nameTaken(folder)),
  });
  running = core;
  const gateway = new Gateway(http, identity.address.IP, core.conversations);

  const taken = await core.start();
  gateway.start();
  const url = endpointUrl(identity.address);
  logger.info(
    {
      part: 'server',
      url,
      server: identity.uuid,
      data: folder,
      epoch: instance.epoch,
      relays: settings.relay.length,
      ...taken,
    },
    'server listens',
  );
  if (settings.relay.length === 0) {
    logger.warn(
      { part: 'server' },
      'no relay is configured, batches will wait: restart with --relay smtp://host:port',
    );
  }

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const out = await core.drain({ withinMs: settings.drain, hurry: hurry.signal });
    await instance.touch().catch(() => {});
    await core.stop();
    await gateway.stop();
    await new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
    await store.release().catch(() => {});
    await store.stop();
    logger.info(
      { part: 'server', leases: out },
      out === 0 ? 'server stopped, everything settled' : 'server stopped, leases wait for its return',
    );
  };
  return {
    uuid: identity.uuid,
    endpoint: identity.address,
    url,
    snapshot: () => core.snapshot(),
    stop: () => (stopped ??= stop()),
    hurry: () => hurry.abort(),
    failed: failed.promise,
  };
}

function nameTaken(folder: string): ServerError {
  return new ServerError(
    'IDENTITY_IN_USE',
    `another process uses the store under this server's identity by now, so this one stops: its data folder ${folder} is used twice, or a copy. ` +
      'Give each server a --data folder of its own',
  );
}

function identityInUse(where: string, folder: string): ServerError {
  return new ServerError(
    'IDENTITY_IN_USE',
    `another server of the mesh${where === '' ? '' : `, ${where},`} runs under this one's identity and was there first, so this one stops: ` +
      `its data folder ${folder} is a copy. To run both, remove identity.json and the store from the copy; to move the server, stop the other one`,
  );
}

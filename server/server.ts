import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { ServerSettings } from '../config/index.ts';
import type { Logger } from '../logging/index.ts';
import { type Endpoint, endpointUrl } from '../protocol/index.ts';
import { BatchBook } from './batches/batch-book.ts';
import { Batches } from './batches/batches.ts';
import { ClientSession } from './batches/client-session.ts';
import { resolveOptions } from './batches/options.ts';
import { Watchers } from './batches/watchers.ts';
import { type ClockSource, SteadyClock } from './clock.ts';
import { BatchExpiry } from './dispatch/batch-expiry.ts';
import { Clockwork } from './dispatch/clockwork.ts';
import type { DispatchContext } from './dispatch/context.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import { handBack } from './dispatch/hand-back.ts';
import { restoreSuspicions } from './dispatch/inquest.ts';
import { LeaseBook } from './dispatch/lease-book.ts';
import { drainDispatch, restoreLeases } from './dispatch/lifecycle.ts';
import { Results } from './dispatch/results.ts';
import { SuspectBook } from './dispatch/suspect-book.ts';
import { WorkerBook, type WorkerEntry } from './dispatch/worker-book.ts';
import { WorkerSession } from './dispatch/worker-session.ts';
import { DkimKeys } from './dkim-keys.ts';
import { ServerError } from './errors.ts';
import { checkExposure } from './exposure.ts';
import { Access } from './gateway/access.ts';
import { Gateway } from './gateway/gateway.ts';
import { beginConversation } from './gateway/parties.ts';
import { HealthMonitor } from './health/monitor.ts';
import { httpApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { loadIdentity } from './identity.ts';
import { hostId } from './instance/host.ts';
import { Instance } from './instance/instance.ts';
import { LendablePool } from './lendable-pool.ts';
import { Mesh } from './mesh/mesh.ts';
import { systemClock } from './mesh/ports.ts';
import { advertised, meshSettings } from './mesh-settings.ts';
import { RateMeter } from './rate-meter.ts';
import { RelayBook } from './relays/relay-book.ts';
import { describeServer } from './snapshot.ts';
import { openStore } from './store/index.ts';
import { VERSION } from './version.ts';
import { whyWaiting } from './waiting.ts';

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
  const monotonic = (): number => clock.monotonic();
  const startedAt = now();
  let phase: 'starting' | 'running' | 'stopping' = 'starting';
  const hurry = new AbortController();

  const app = httpApp({
    version: VERSION,
    readiness: () => {
      if (phase !== 'running') return { ready: false, reasons: [`the server is ${phase}`] };
      const { conditions } = health;
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

  const relays = new RelayBook(
    settings.relay,
    {
      threshold: settings.breakerThreshold,
      openMs: settings.breakerOpen,
      capMs: settings.breakerCap,
      policyThreshold: settings.policyThreshold,
    },
    log('relays'),
    now,
  );
  const book = new BatchBook();
  const workers = new WorkerBook();
  const leases = new LeaseBook();
  const suspects = new SuspectBook(settings.poisonAfter);
  const settled = new RateMeter();
  const dispatch: DispatchContext = {
    batches: book,
    workers,
    relays,
    leases,
    suspects,
    store,
    settled,
    settings: { leaseMs: settings.lease, taskMs: settings.taskSeconds },
    dkim,
    logger: log('dispatch'),
    now,
    monotonic,
  };
  const dispatcher = new Dispatcher(dispatch);
  const storeFailing = (): boolean => dispatcher.storeFailing || store.snapshot().failing;
  const health = new HealthMonitor({
    storeFailing,
    commitMs: () => store.snapshot().commitMs ?? 0,
    touch: () => instance.touch(),
    ready: () => dispatcher.ready(),
    workers: () => workers.working(),
    clockSetBy: () => clock.setBy,
    pausedAtStart: () => instance.stillPaused((batch) => book.get(batch)?.figures.state === 'PAUSED'),
    monotonic,
    logger: log('health'),
  });
  const clockwork = new Clockwork(
    dispatch,
    dispatcher,
    { parkMs: settings.park },
    new BatchExpiry(dispatch, store),
  );
  const results = new Results(
    dispatch,
    dispatcher,
    { faultDelayMs: Math.min(settings.retryBase, settings.breakerOpen) },
    Math.random,
    (dueAt) => clockwork.deferredUntil(dueAt),
  );
  const mesh = new Mesh({
    identity,
    settings: meshSettings(settings),
    tokens: settings.tokenMesh === undefined ? {} : { mesh: settings.tokenMesh },
    store,
    pool: new LendablePool({ workers, leases, dispatcher, settled, monotonic }),
    logger: log('mesh'),
    clock: { now, monotonic, setTimer: systemClock.setTimer },
    identityClaimed: (where) => health.identityClaimed(where),
    identityLost: (where) => {
      dispatcher.close();
      failed.resolve(identityInUse(where, folder));
    },
    ...(settings.tlsCa === undefined ? {} : { tlsCaFile: settings.tlsCa }),
  });
  const watchers = new Watchers(book);
  const snapshot = (): Record<string, unknown> =>
    describeServer({
      identity,
      startedAt,
      phase,
      book,
      workers,
      leases,
      suspects,
      relays,
      settled,
      mesh,
      store,
      health,
      now,
      monotonic,
    });
  const batches = new Batches({
    store,
    book,
    watchers,
    logger: log('batches'),
    now,
    resolve: (options) => resolveOptions(options, settings, relays.names, now()),
    wake: () => {
      clockwork.deferredUntil(0);
      dispatcher.pump();
      mesh.workChanged();
    },
    handBack: (batch) => handBack(dispatch, (lease) => lease.batch === batch),
    whyWaiting: (record) =>
      whyWaiting(record, {
        workers: workers.working(),
        storeFailing: storeFailing(),
        stopping: phase === 'stopping',
        relays: relays.whyNot(record.options.relays),
        aside: suspects.asideOf(record.uuid),
      }),
    rate: (batch) => book.get(batch)?.meter.rate(monotonic()),
    describeServer: snapshot,
    stopping: () => phase === 'stopping',
  });
  const events = {
    arrived: (worker: WorkerEntry): void => {
      if (worker.home === undefined) mesh.workerArrived(worker.uuid);
    },
    left: (worker: WorkerEntry): void => mesh.workerLeft(worker.uuid, worker.leases.size > 0),
  };
  const access = new Access({
    ...(settings.tokenWorker === undefined ? {} : { worker: settings.tokenWorker }),
    ...(settings.tokenClient === undefined ? {} : { client: settings.tokenClient }),
    ...(settings.tokenMesh === undefined ? {} : { peer: settings.tokenMesh }),
  });
  const parties = {
    serverUuid: identity.uuid,
    access,
    workerSession: (line: ConstructorParameters<typeof WorkerSession>[0]['line']) =>
      new WorkerSession({ context: dispatch, dispatcher, clockwork, results, events, line }),
    clientSession: (line: ConstructorParameters<typeof ClientSession>[1]) => new ClientSession(batches, line),
    acceptPeer: mesh.acceptPeer.bind(mesh),
    admitBorrowed: (alive: Parameters<typeof mesh.admitBorrowed>[0]) => {
      const admission = mesh.admitBorrowed(alive);
      if (admission.ok) return { home: admission.home };
      return {
        code: admission.reason,
        message: `this server does not take the worker in (${admission.reason}): go home`,
      };
    },
  };
  const gateway = new Gateway(http, identity.address.IP, {
    access,
    logger: log('gateway'),
    begin: (...call) => beginConversation(parties, ...call),
  });

  const taken = await batches.start();
  const restored = await restoreLeases(dispatch);
  await restoreSuspicions(dispatch);
  clockwork.start();
  await mesh.start();
  gateway.start();
  phase = 'running';
  health.start();
  const url = endpointUrl(identity.address);
  logger.info(
    {
      part: 'server',
      url,
      server: identity.uuid,
      data: folder,
      epoch: instance.epoch,
      relays: relays.names.length,
      batches: taken,
      leases: restored,
    },
    'server listens',
  );
  if (relays.names.length === 0) {
    logger.warn(
      { part: 'server' },
      'no relay is configured, batches will wait: restart with --relay smtp://host:port',
    );
  }

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    phase = 'stopping';
    mesh.leave();
    const out = await drainDispatch(dispatch, dispatcher, clockwork, {
      withinMs: settings.drain,
      hurry: hurry.signal,
    });
    watchers.stop();
    health.stop();
    await instance.touch().catch(() => {});
    await mesh.stop();
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
    snapshot,
    stop: () => (stopped ??= stop()),
    hurry: () => hurry.abort(),
    failed: failed.promise,
  };
}

function identityInUse(where: string, folder: string): ServerError {
  return new ServerError(
    'IDENTITY_IN_USE',
    `another server of the mesh${where === '' ? '' : `, ${where},`} runs under this one's identity and was there first, so this one stops: ` +
      `its data folder ${folder} is a copy. To run both, remove identity.json and the store from the copy; to move the server, stop the other one`,
  );
}

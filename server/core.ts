import type { WebSocket } from 'ws';
import type { ServerSettings } from '../config/index.ts';
import type { Logger } from '../logging/index.ts';
import { BatchBook } from './batches/batch-book.ts';
import { Batches } from './batches/batches.ts';
import { ClientSession } from './batches/client-session.ts';
import { resolveOptions } from './batches/options.ts';
import { Watchers } from './batches/watchers.ts';
import type { SteadyClock } from './clock.ts';
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
import type { DkimKeys } from './dkim-keys.ts';
import { Access } from './gateway/access.ts';
import type { ConversationParts } from './gateway/conversation.ts';
import { beginConversation } from './gateway/parties.ts';
import { HealthMonitor } from './health/monitor.ts';
import type { Instance } from './instance/instance.ts';
import { LendablePool } from './lendable-pool.ts';
import type { MeshIdentity } from './mesh/context.ts';
import { Mesh } from './mesh/mesh.ts';
import { webSocketTransport } from './mesh/ws-transport.ts';
import { endpointOf, meshSettings } from './mesh-settings.ts';
import { Errands } from './owners/errands.ts';
import { Sharing } from './owners/sharing.ts';
import { RateMeter } from './rate-meter.ts';
import { RelayBook } from './relays/relay-book.ts';
import { describeServer } from './snapshot.ts';
import type { Store } from './store/store.ts';
import type { SetTimer } from './timers.ts';
import { whyWaiting } from './waiting.ts';

/** What a server is built on: the network, the disk and the time that it is given. */
export interface Ground {
  readonly settings: ServerSettings;
  readonly identity: MeshIdentity;
  /** Started, and this server's. */
  readonly store: Store;
  readonly instance: Pick<Instance, 'touch' | 'stillPaused'>;
  readonly clock: Pick<SteadyClock, 'now' | 'monotonic' | 'setBy'>;
  readonly setTimer: SetTimer;
  /** Chance, from [0, 1); only for jitter. */
  readonly random: () => number;
  /** Replaces the sockets to peers. */
  readonly openSocket?: (url: string) => WebSocket;
  readonly dkim: DkimKeys;
  readonly logger: Logger;
  /** Another server runs under this one's identity, and was there first: this one must not go on. */
  readonly identityLost: (where: string) => void;
  /** Another process took over this server's name in a store that is shared: this one must not go on. */
  readonly nameLost?: () => void;
}

/** How long the owner of a batch may take to do what another server asks for, ms, when it is well. */
const ANSWERED_WITHIN_MS = 3_000;

/** A server without its port: everything that decides, keeps and answers. The port hands it connections by `conversations`. */
export type ServerCore = ReturnType<typeof buildCore>;

/** Puts the parts of a server together. new → `start` → running → `drain` → stopping → `stop`. */
export function buildCore(ground: Ground) {
  const { settings, identity, store, instance, clock, setTimer, random } = ground;
  const log = (part: string): Logger => ground.logger.child({ part });
  const now = (): number => clock.now();
  const monotonic = (): number => clock.monotonic();
  const startedAt = now();
  let phase: 'starting' | 'running' | 'stopping' = 'starting';
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
    ...(store.isShared ? { tenancy: { isHeld: () => sharing?.tenure.isHeld() === true } } : {}),
    settled,
    settings: { leaseMs: settings.lease, taskMs: settings.taskSeconds },
    dkim: ground.dkim,
    logger: log('dispatch'),
    now,
    monotonic,
    setTimer,
  };
  const errands = store.isShared
    ? new Errands(store, identity.uuid, settings.ownerLease + ANSWERED_WITHIN_MS)
    : undefined;
  const dispatcher = new Dispatcher(dispatch);
  const storeFailing = (): boolean => dispatcher.storeFailing || store.snapshot().failing;
  const health = new HealthMonitor({
    storeFailing,
    commitMs: () => store.snapshot().commitMs ?? 0,
    touch: () => instance.touch(),
    ready: () => dispatcher.ready(),
    workers: () => workers.working(),
    ...(store.isShared ? { tenure: () => handsOf(sharing) } : {}),
    clockSetBy: () => clock.setBy,
    pausedAtStart: () => instance.stillPaused((batch) => book.get(batch)?.figures.state === 'PAUSED'),
    monotonic,
    setTimer,
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
    random,
    (dueAt) => clockwork.deferredUntil(dueAt),
    errands,
  );
  const mesh = new Mesh({
    identity,
    settings: meshSettings(settings),
    tokens: settings.tokenMesh === undefined ? {} : { mesh: settings.tokenMesh },
    store,
    pool: new LendablePool({ workers, leases, dispatcher, settled, monotonic }),
    logger: log('mesh'),
    clock: { now, monotonic, setTimer },
    random,
    transport: webSocketTransport({
      logger: log('mesh'),
      clock: { monotonic, setTimer },
      ...(settings.tokenMesh === undefined ? {} : { token: settings.tokenMesh }),
      ...(settings.tlsCa === undefined ? {} : { tlsCaFile: settings.tlsCa }),
      ...(ground.openSocket === undefined ? {} : { openSocket: ground.openSocket }),
    }),
    identityClaimed: (where) => health.identityClaimed(where),
    identityLost: (where) => {
      dispatcher.close();
      ground.identityLost(where);
    },
  });
  const figures = store.isShared ? (batch: string) => store.figures(batch) : undefined;
  const watchers = new Watchers(book, { monotonic, setTimer }, figures);
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
      tenure: sharing?.tenure,
      now,
      monotonic,
    });
  const wake = (): void => {
    clockwork.deferredUntil(0);
    dispatcher.pump();
    mesh.workChanged();
  };
  const batches = new Batches({
    store,
    book,
    watchers,
    logger: log('batches'),
    now,
    resolve: (options) => resolveOptions(options, settings, relays.names, now()),
    ...(errands === undefined ? {} : { others: errands }),
    wake,
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
  const sharing: Sharing | undefined = store.isShared
    ? new Sharing({
        store,
        storeName: store.place().id,
        server: identity.uuid,
        leaseMs: settings.ownerLease,
        dispatch,
        doers: {
          act: (action, batch) => batches.actHere(action, batch),
          resolve: (...decision) => batches.resolveHere(...decision),
          report: (report) => results.takeHere(report, workers.get(report.WORKER_UUID ?? '')),
        },
        endpointOf,
        met: (server, endpoint) => mesh.meet(server, endpoint),
        wake,
        nameLost: () => {
          dispatcher.close();
          ground.nameLost?.();
        },
        clocks: () => ({ monotonic: monotonic(), now: now() }),
        setTimer,
        random,
        logger: log('owners'),
      })
    : undefined;
  const events = {
    arrived: (worker: WorkerEntry): void => {
      sharing?.greet(worker);
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
  const conversations: ConversationParts = {
    access,
    logger: log('gateway'),
    setTimer,
    begin: (...call) => beginConversation(parties, ...call),
  };

  return {
    /** Lets callers in, and talks with them. */
    conversations,
    relays,
    book,
    workers,
    leases,
    mesh,
    health,
    snapshot,
    get phase() {
      return phase;
    },
    /** Takes up what the store holds, and begins to work. @throws StoreError */
    async start(): Promise<{ readonly batches: number; readonly leases: number }> {
      await sharing?.tenure.start();
      const taken = await batches.start();
      const restored = await restoreLeases(dispatch);
      await restoreSuspicions(dispatch);
      clockwork.start();
      await mesh.start();
      phase = 'running';
      health.start();
      sharing?.tenure.open();
      return { batches: taken, leases: restored };
    },
    /** Takes nothing new, sends borrowed workers home, waits for what is out. @returns leases that stay out */
    async drain(until: { readonly withinMs: number; readonly hurry: AbortSignal }): Promise<number> {
      phase = 'stopping';
      mesh.leave();
      await sharing?.tenure.close();
      const out = await drainDispatch(dispatch, dispatcher, clockwork, until);
      await sharing?.release().catch(() => {});
      watchers.stop();
      health.stop();
      return out;
    },
    async stop(): Promise<void> {
      await mesh.stop();
    },
  };
}

/** Before the parts are all there nothing is held. */
function handsOf(sharing: Sharing | undefined) {
  const never = { batches: 0, at: 0 };
  return {
    isHeld: sharing?.tenure.isHeld() === true,
    fenced: sharing?.takeover.fenced ?? never,
    adopted: sharing?.takeover.adopted ?? never,
  };
}

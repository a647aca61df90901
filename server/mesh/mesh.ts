import {
  type CommandRelease,
  type Endpoint,
  endpointUrl,
  type Load,
  MAX_PEERS,
  MAX_WORKERS,
  type PeerMessage,
  PROTOCOL_VERSION,
  type WorkerAlive,
  type WorkerRequest,
} from '../../protocol/index.ts';
import { type Admission, Borrower } from './borrower.ts';
import type { MeshContext, MeshIdentity } from './context.ts';
import { type Asker, Lender } from './lender.ts';
import { PeerLinks } from './links.ts';
import { drainSeconds, loadOf, type PoolFigures } from './load.ts';
import type { OwnPresence, PeerLink } from './peer-link.ts';
import {
  type Clock,
  type MeshLogger,
  type MeshPool,
  type PeerConnection,
  type PeerTransport,
  systemClock,
} from './ports.ts';
import { nextSaturation, type Saturation } from './saturation.ts';
import type { MeshSettings } from './settings.ts';
import type { MeshSnapshot } from './snapshot.ts';
import type { LoanStore } from './store.ts';
import { ticketKey } from './ticket.ts';
import { webSocketTransport } from './ws-transport.ts';

/** How often the mesh looks around, ms. */
export const TICK_MS = 200;

/** Time over which several hints that something changed are taken together, ms. */
const DECIDE_AFTER_MS = 10;

export interface MeshOptions {
  readonly identity: MeshIdentity;
  readonly settings: MeshSettings;
  readonly tokens: { readonly mesh?: string };
  readonly store: LoanStore;
  readonly pool: MeshPool;
  readonly logger: MeshLogger;
  readonly clock?: Clock;
  /** Chance, from [0, 1); only for jitter. */
  readonly random?: () => number;
  readonly tlsCaFile?: string;
  /** Another server claims to be this one; this one was first. `where`: its address. */
  readonly identityClaimed?: (where: string) => void;
  /** Another server was there first under the identity of this one, which must stop. `where`: its address. */
  readonly identityLost?: (where: string) => void;
  readonly transport?: PeerTransport;
}

/**
 * This server among its peers: who is alive, how loaded they are, whom it lends workers and from whom it borrows.
 * The gateway hands it the connections of peers and tells it which workers come and go; it decides on a tick, and at once
 * when told that something changed, and carries its decisions out through the pool and over the links.
 */
export class Mesh {
  readonly #options: MeshOptions;
  readonly #clock: Clock;
  readonly #links: PeerLinks;
  readonly #lender: Lender;
  readonly #borrower: Borrower;
  #saturation: Saturation = 'relaxed';
  #saturationSince: number;
  /** Since when there has been work, monotonic ms; undefined while there is none. */
  #busySince: number | undefined;
  #hadIdle = false;
  #tellSoon = false;
  #cancelTick: (() => void) | undefined;
  #cancelDecision: (() => void) | undefined;
  #state: 'new' | 'running' | 'leaving' | 'stopped' = 'new';

  constructor(options: MeshOptions) {
    this.#options = options;
    const { identity, settings, tokens, logger, pool } = options;
    this.#clock = options.clock ?? systemClock;
    this.#saturationSince = this.#clock.monotonic();
    const random = options.random ?? Math.random;
    const transport =
      options.transport ??
      webSocketTransport({
        logger,
        ...(tokens.mesh === undefined ? {} : { token: tokens.mesh }),
        ...(options.tlsCaFile === undefined ? {} : { tlsCaFile: options.tlsCaFile }),
      });
    const context: MeshContext = {
      identity,
      settings,
      clock: this.#clock,
      random,
      logger,
      pool,
      ticketKey: ticketKey(tokens.mesh),
      peer: (uuid) => this.#links.peer(uuid),
      livePeers: () => this.#links.livePeers(),
      send: (uuid, message) => this.#links.send(uuid, message),
      tellSoon: () => {
        this.#tellSoon = true;
      },
      decideSoon: () => this.workChanged(),
    };
    this.#borrower = new Borrower(context);
    this.#lender = new Lender(context, options.store, () => this.#situation());
    this.#links = new PeerLinks({
      identity,
      settings,
      clock: this.#clock,
      random,
      logger,
      transport,
      user: {
        ownPresence: (link) => this.#presenceFor(link),
        heard: (peer, presence) => {
          if (presence.BORROWED !== undefined) {
            const ours = presence.BORROWED.filter((worker) => worker.HOME === identity.uuid);
            const url = peer.address === undefined ? '' : endpointUrl(peer.address);
            this.#lender.reported(
              peer.uuid,
              url,
              ours.map((worker) => worker.WORKER_UUID),
            );
          }
          if (this.#saturation === 'saturated' && (presence.LOAD?.IDLE ?? 0) > 0) this.workChanged();
        },
        workerRequest: (link, message) => this.#workersRequested(link, message),
        workerResponse: (link, message) => {
          if (link.uuid !== undefined) this.#borrower.answered(link.uuid, message);
        },
        release: (link, message) => this.#released(link, message),
        releaseReply: (link, message) => {
          const about = { peer: link.uuid, workers: message.WORKERS_UUID };
          logger.debug(
            about,
            message.RESPONSE === 'RELEASE_ACK' ? 'release acknowledged' : 'release completed',
          );
        },
        linkLost: (peer) => this.#borrower.linkLost(peer),
        identityClaimed: (where) => options.identityClaimed?.(where),
        identityLost: (where) => options.identityLost?.(where),
      },
    });
  }

  /** Reads the ledger and begins to dial. @throws StoreError when the ledger cannot be read. */
  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    await this.#lender.start();
    // It may have been stopped meanwhile.
    if (!this.#is('running')) return;
    this.#links.start();
    this.#tick();
  }

  /** The server is about to stop: borrowed workers go home, nothing is borrowed or lent any more. */
  leave(): void {
    if (this.#state !== 'running') return;
    this.#state = 'leaving';
    this.#borrower.leave();
  }

  /** Closes the links. Workers on loan stay where they are: the ledger knows them at the next start. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#cancelTick?.();
    this.#cancelDecision?.();
    this.#links.stop();
    await this.#lender.stop();
  }

  /** A connection began with a peer's message. The token has been checked. */
  acceptPeer(connection: PeerConnection, firstMessage: PeerMessage): void {
    this.#links.accept(connection, firstMessage);
  }

  /** A server can be reached there, by a word from outside the mesh. */
  meet(server: string, endpoint: Endpoint): void {
    if (server !== this.#options.identity.uuid) this.#links.learn(endpoint, server);
  }

  /** Work, slots or workers changed: decide now rather than at the next tick. Cheap; call it freely. */
  workChanged(): void {
    if (!this.#is('running') || this.#cancelDecision !== undefined) return;
    this.#cancelDecision = this.#clock.setTimer(() => {
      this.#cancelDecision = undefined;
      this.#decide();
    }, DECIDE_AFTER_MS);
  }

  /** An own worker connected; call it before it is given work, once per connection. */
  workerArrived(worker: string): void {
    this.#lender.cameHome(worker);
    this.workChanged();
  }

  /**
   * A worker that names another home (SERVER_UUID) or shows a TICKET asks to be taken in; call it once per connection. When
   * refused: close the connection, the worker goes home.
   */
  admitBorrowed(alive: WorkerAlive): Admission {
    const admission = this.#borrower.admit(alive);
    this.workChanged();
    return admission;
  }

  /**
   * A worker's connection closed, own or borrowed. `holdsTasks`: it has leases of this server still, so it may come back to
   * report on them.
   */
  workerLeft(worker: string, holdsTasks = false): void {
    this.#borrower.left(worker, holdsTasks);
    this.workChanged();
  }

  snapshot(): MeshSnapshot {
    const now = this.#clock.monotonic();
    const figures = this.#options.pool.figures();
    const { uuid, address } = this.#options.identity;
    return {
      server: uuid,
      address: endpointUrl(address),
      saturation: this.#saturation,
      saturationForMs: now - this.#saturationSince,
      load: this.#load(figures),
      peers: this.#links.peers().map((peer) => ({
        server: peer.uuid,
        address: peer.address === undefined ? undefined : endpointUrl(peer.address),
        state: peer.state,
        link: this.#links.get(peer.uuid)?.direction,
        load: peer.load,
        latencyMs: peer.latencyMs,
        silentMs: now - peer.heardAt,
      })),
      lent: this.#lender.ledger.open().map(({ loan, worker, borrower, state, lentAt, lendUntil }) => {
        return { loan, worker, borrower, state, lentAt, lendUntil };
      }),
      borrowed: this.#borrower.guests().map(({ loan, worker, home, state, lendUntil }) => {
        return { loan, worker, home, state, lendUntil };
      }),
      expected: this.#borrower.expected,
      totals: this.#lender.ledger.totals(),
    };
  }

  #tick(): void {
    this.#cancelTick = this.#clock.setTimer(() => this.#tick(), TICK_MS);
    this.#lender.tick();
    this.#borrower.tick();
    this.#decide();
    const beatEveryMs = this.#tellSoon ? 0 : this.#options.settings.heartbeatMs;
    this.#tellSoon = false;
    this.#links.tick(TICK_MS, beatEveryMs);
  }

  /** Is this server saturated, and what follows: recall, borrow, give back. */
  #decide(): void {
    const { settings, pool, logger } = this.#options;
    const now = this.#clock.monotonic();
    const figures = pool.figures();
    if (figures.ready + figures.sending === 0) this.#busySince = undefined;
    else this.#busySince ??= now;
    const drainS = this.#drain(figures);
    const next = nextSaturation(
      this.#saturation,
      { drainSeconds: drainS, freeSlots: figures.freeSlots },
      settings,
    );
    if (next !== this.#saturation) {
      this.#saturation = next;
      this.#saturationSince = now;
      this.#tellSoon = true;
      logger.info({ drainS: Math.round(drainS * 10) / 10, ready: figures.ready }, `server is ${next}`);
    }
    const hasIdle = this.#idle() > 0;
    if (hasIdle !== this.#hadIdle) this.#tellSoon = true;
    this.#hadIdle = hasIdle;
    const work = {
      figures,
      drainS,
      busyForMs: this.#busyForMs(),
      saturation: this.#saturation,
      since: this.#saturationSince,
    };
    const { ledger } = this.#lender;
    const recall = this.#borrower.askForWorkers(work, {
      lent: ledger.size,
      recallable: this.#lender.recallable().length,
      comingHome: this.#lender.comingHome(),
      borrowers: new Set(ledger.countsByBorrower().keys()),
    });
    if (recall > 0) this.#lender.recall(recall);
    this.#borrower.returnGuests({
      ready: figures.ready,
      saturation: this.#saturation,
      since: this.#saturationSince,
    });
  }

  #workersRequested(link: PeerLink, message: WorkerRequest): void {
    this.#lender.answer(this.#askerOf(link, message), message, (answer) => link.send(answer));
  }

  /** A minimal peer that has no SERVER_UUID is known by where it can be reached. */
  #askerOf(link: PeerLink, { SERVER_UUID, REQUESTOR_INFO }: WorkerRequest): Asker {
    const uuid = link.uuid ?? SERVER_UUID;
    const { IP, PORT, TLS } = REQUESTOR_INFO ?? {};
    const said =
      IP === undefined || PORT === undefined
        ? undefined
        : { IP, PORT, ...(TLS === undefined ? {} : { TLS }) };
    const known = uuid === undefined ? undefined : this.#links.peer(uuid)?.address;
    const address = known ?? said;
    const id = uuid ?? (address === undefined ? 'unknown' : identifierOf(`${address.IP}:${address.PORT}`));
    const isThere = () => link.isOpen || (uuid !== undefined && this.#links.get(uuid) !== undefined);
    return { id, address, isThere };
  }

  /** Either our home-comers are on their way, or we are to send some of theirs. */
  #released(link: PeerLink, message: CommandRelease): void {
    const peer = link.uuid ?? message.SERVER_UUID;
    const known = [
      ...this.#borrower.recalled(peer, message),
      ...this.#lender.onTheirWay(peer, message.WORKERS_UUID),
    ];
    const { uuid } = this.#options.identity;
    link.send({ TASK: 'COMMAND_RELEASE', RESPONSE: 'RELEASE_ACK', SERVER_UUID: uuid, WORKERS_UUID: known });
  }

  #situation() {
    const drain = this.#drain(this.#options.pool.figures());
    const busy = this.#saturation === 'saturated' || drain >= this.#options.settings.returnBelowS;
    const { borrowing, borrowedAt } = this.#borrower;
    return { busy, borrowing, borrowedAt, isLeaving: this.#state !== 'running' };
  }

  #presenceFor(link: PeerLink): OwnPresence {
    const { uuid, address } = this.#options.identity;
    const peers = this.#links.livePeers().flatMap((peer) => {
      return peer.address === undefined || peer.uuid === link.uuid
        ? []
        : [{ ...peer.address, SERVER_UUID: peer.uuid }];
    });
    const guests = link.uuid === undefined ? [] : this.#borrower.connectedFrom(link.uuid);
    const borrowed = guests.map((guest) => ({ WORKER_UUID: guest.worker, HOME: guest.home }));
    const { run } = this.#links;
    return {
      SERVER_UUID: uuid,
      ...(run === undefined
        ? {}
        : { INSTANCE: run.instance, UP_S: (this.#clock.monotonic() - run.since) / 1_000 }),
      ADDRESS: address,
      LOAD: this.#load(this.#options.pool.figures()),
      PEERS: peers.slice(0, MAX_PEERS),
      // A part of the list would make the home think that the rest is gone.
      ...(link.uuid !== undefined && borrowed.length <= MAX_WORKERS ? { BORROWED: borrowed } : {}),
      PROTOCOL: PROTOCOL_VERSION,
    };
  }

  #load(figures: PoolFigures): Load {
    const loans = {
      idle: this.#idle(),
      lent: this.#lender.ledger.size,
      borrowed: this.#options.pool.guestWorkers().length,
    };
    return loadOf(figures, loans, this.#drain(figures));
  }

  #idle(): number {
    return this.#lender.atHome().filter((worker) => worker.idle).length;
  }

  #drain(figures: PoolFigures): number {
    return drainSeconds(figures, this.#busyForMs());
  }

  #busyForMs(): number {
    return this.#busySince === undefined ? 0 : this.#clock.monotonic() - this.#busySince;
  }

  #is(state: 'running'): boolean {
    return this.#state === state;
  }
}

/** Anything as an Identifier of the wire. */
function identifierOf(text: string): string {
  return text
    .replace(/[^A-Za-z0-9._:-]/g, '-')
    .replace(/^[^A-Za-z0-9]/, 'x')
    .slice(0, 64);
}

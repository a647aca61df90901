import { type Endpoint, endpointUrl, MAX_PEERS, type PeerMessage } from '../../protocol/index.ts';
import { AddressBook } from './address-book.ts';
import type { MeshIdentity } from './context.ts';
import { Dialler } from './dialler.ts';
import { chooseLink, type LinkClaim, Membership, type Peer, type PeerChange } from './membership.ts';
import { CLOSE, type LinkHandler, PeerLink, type Presence } from './peer-link.ts';
import type { Clock, MeshLogger, PeerConnection, PeerTransport } from './ports.ts';
import { type Run, runOf, wasFirst } from './run.ts';
import type { MeshSettings } from './settings.ts';

/** Connections with other servers, those included that have not said who they are. */
export const MAX_LINKS = 2 * MAX_PEERS;

/** An accepted link whose other end says nothing and never said who it is ends after this, ms. */
const NAMELESS_SILENCE_MS = 5 * 60_000;

/** What is said over the links, apart from who is there. */
export interface LinkUser extends Pick<LinkHandler, 'ownPresence' | 'workerRequest' | 'workerResponse'> {
  /** A peer said something of itself. */
  heard(peer: Peer, presence: Presence): void;
  release: LinkHandler['release'];
  releaseReply: LinkHandler['releaseReply'];
  /** The link of a peer was lost, or another one took its place. */
  linkLost(peer: string): void;
  /** Another server that was met claims to be this one, and came later. */
  identityClaimed(where: string): void;
  /** Another server runs under the identity of this one, and was there first. */
  identityLost(where: string): void;
}

export interface LinksOptions {
  readonly identity: MeshIdentity;
  readonly settings: MeshSettings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: MeshLogger;
  readonly transport: PeerTransport;
  readonly user: LinkUser;
}

/**
 * The links to all peers: opens and accepts them, learns who is at the other end, keeps one per pair, and keeps the
 * membership by what is heard on them.
 */
export class PeerLinks implements LinkHandler {
  readonly #options: LinksOptions;
  readonly #membership: Membership;
  readonly #book: AddressBook;
  readonly #dialler: Dialler;
  readonly #links = new Set<PeerLink>();
  /** The one link of each peer. */
  readonly #byPeer = new Map<string, PeerLink>();
  /** Links whose other end was told that it is a copy. */
  readonly #refused = new WeakSet<PeerLink>();
  readonly #startedAt: number;
  #isStopped = false;

  constructor(options: LinksOptions) {
    this.#options = options;
    const { settings, identity, random, clock, logger, transport } = options;
    this.#startedAt = clock.monotonic();
    this.#membership = new Membership({ ...settings, maxPeers: MAX_PEERS });
    this.#book = new AddressBook({
      self: identity.uuid,
      address: identity.address,
      maxAddresses: 2 * MAX_PEERS,
      random,
    });
    const opened = (connection: PeerConnection, endpoint: Endpoint) => this.#opened(connection, endpoint);
    this.#dialler = new Dialler({ book: this.#book, transport, clock, logger, opened });
  }

  start(): void {
    this.#book.configure(this.#options.settings.peers, this.#now());
    this.#dial();
  }

  stop(): void {
    this.#isStopped = true;
    this.#dialler.stop();
    for (const link of [...this.#links]) link.close(CLOSE.goingAway, 'the server stops');
  }

  /** A connection that somebody else opened, and the message that it began with. */
  accept(connection: PeerConnection, first: PeerMessage): void {
    if (this.#isStopped || this.#links.size >= MAX_LINKS) {
      connection.close(CLOSE.tryLater, this.#isStopped ? 'the server stops' : 'too many links');
      return;
    }
    const link = new PeerLink({
      connection,
      direction: 'accepted',
      clock: this.#options.clock,
      handler: this,
    });
    this.#links.add(link);
    link.receive(first);
  }

  /** This run of this server. */
  get run(): Run | undefined {
    const { instance } = this.#options.identity;
    return instance === undefined ? undefined : { instance, since: this.#startedAt };
  }

  get(peer: string): PeerLink | undefined {
    return this.#byPeer.get(peer);
  }

  peer(uuid: string): Peer | undefined {
    return this.#membership.get(uuid);
  }

  peers(): readonly Peer[] {
    return this.#membership.all();
  }

  livePeers(): readonly Peer[] {
    return this.#membership.alive().filter((peer) => this.#byPeer.has(peer.uuid));
  }

  send(peer: string, message: PeerMessage): boolean {
    const link = this.#byPeer.get(peer);
    link?.send(message);
    return link !== undefined;
  }

  /** `beatEveryMs`: how old the last heartbeat may be. */
  tick(nextTickMs: number, beatEveryMs: number): void {
    const now = this.#now();
    const { changes, lateMs } = this.#membership.tick(now, nextTickMs);
    if (lateMs > 0) {
      this.#options.logger.warn(
        { lateMs: Math.round(lateMs) },
        'event loop lags: silence of peers does not count',
      );
      for (const link of this.#links) link.forgive(lateMs);
    }
    for (const change of changes) this.#changed(change);
    for (const link of [...this.#links]) {
      if (now - link.heardAt >= this.#patienceFor(link))
        link.close(CLOSE.silent, 'nothing was heard for too long');
      else link.beat(beatEveryMs);
    }
    this.#dial();
  }

  ownPresence(link: PeerLink) {
    return this.#options.user.ownPresence(link);
  }

  presence(link: PeerLink, presence: Presence): boolean {
    const uuid = presence.SERVER_UUID;
    if (uuid === undefined) {
      if (link.uuid === undefined && link.endpoint !== undefined) this.#reached(link.endpoint, undefined);
    } else if (!this.#identify(link, uuid, presence)) return false;
    const peer = link.uuid;
    if (peer !== undefined) this.#heard(link, peer, presence);
    return true;
  }

  workerRequest: LinkHandler['workerRequest'] = (link, message) =>
    this.#options.user.workerRequest(link, message);
  workerResponse: LinkHandler['workerResponse'] = (link, message) =>
    this.#options.user.workerResponse(link, message);
  release: LinkHandler['release'] = (link, message) => this.#options.user.release(link, message);
  releaseReply: LinkHandler['releaseReply'] = (link, message) =>
    this.#options.user.releaseReply(link, message);

  closed(link: PeerLink, code: number, reason: string): void {
    this.#links.delete(link);
    const peer = link.uuid;
    if (peer !== undefined && this.#byPeer.get(peer) === link) {
      this.#byPeer.delete(peer);
      this.#options.logger.info({ peer, code, reason }, 'link closed');
      const change = this.#membership.lostLink(peer);
      if (change !== undefined) this.#changed(change);
      this.#options.user.linkLost(peer);
    }
    if (code === CLOSE.identityInUse && !this.#refused.has(link) && !this.#isStopped) {
      this.#options.user.identityLost(reason);
    }
    if (link.endpoint === undefined || this.#isStopped) return;
    const worked = link.heardAt > link.openedAt && code !== CLOSE.policy;
    if (code === CLOSE.self) this.#book.isSelf(link.endpoint);
    else if (worked || code === CLOSE.duplicate) this.#book.closed(link.endpoint, this.#now());
    else this.#dialler.failed(link.endpoint, reason === '' ? `closed with code ${code}` : reason);
  }

  #opened(connection: PeerConnection, endpoint: Endpoint): void {
    const { clock } = this.#options;
    const link = new PeerLink({ connection, direction: 'dialled', endpoint, clock, handler: this });
    this.#links.add(link);
    link.beat(0);
  }

  #dial(): void {
    this.#dialler.dialDue((uuid) => this.#byPeer.has(uuid));
  }

  /** @returns false when the link was closed. */
  #identify(link: PeerLink, uuid: string, presence: Presence): boolean {
    const run = runOf(presence, this.#now());
    if (uuid === this.#options.identity.uuid) {
      this.#metItself(link, run, presence);
      return false;
    }
    if (link.uuid !== undefined) {
      if (link.uuid === uuid) return true;
      link.close(CLOSE.policy, 'SERVER_UUID changed within a connection');
      return false;
    }
    if (!this.#membership.hasRoomFor(uuid)) {
      link.close(CLOSE.tryLater, 'too many peers');
      return false;
    }
    if (link.endpoint !== undefined) this.#reached(link.endpoint, uuid);
    const old = this.#byPeer.get(uuid);
    if (old !== undefined && !this.#replaces(old, link, uuid, presence)) return false;
    link.identify(uuid, run);
    this.#byPeer.set(uuid, link);
    this.#options.logger.info({ peer: uuid, direction: link.direction }, 'link is up');
    if (old !== undefined) {
      this.#options.user.linkLost(uuid);
      old.close(CLOSE.duplicate, 'another link of the same two servers stays');
    }
    return true;
  }

  /** It reached itself, or a server that runs on a copy of its data folder. */
  #metItself(link: PeerLink, theirs: Run | undefined, presence: Presence): void {
    const own = this.run;
    if (own === undefined || theirs === undefined || own.instance === theirs.instance) {
      link.close(CLOSE.self, 'that is this server itself');
      return;
    }
    const address = this.#reachable(presence.ADDRESS, link) ?? link.endpoint;
    const where =
      address === undefined ? (link.remoteAddress ?? 'at an unknown address') : endpointUrl(address);
    if (wasFirst(own, theirs)) {
      this.#options.user.identityClaimed(where);
      this.#refuse(link, endpointUrl(this.#options.identity.address));
    } else {
      link.close(CLOSE.goingAway, 'this server is a copy and stops');
      this.#options.user.identityLost(where);
    }
  }

  /** Tells the other end that a server was there before it under its SERVER_UUID. */
  #refuse(link: PeerLink, where: string): void {
    this.#refused.add(link);
    link.close(CLOSE.identityInUse, where);
  }

  #replaces(old: PeerLink, fresh: PeerLink, uuid: string, presence: Presence): boolean {
    const now = this.#now();
    const known = this.#membership.get(uuid)?.address;
    const said = this.#reachable(presence.ADDRESS, fresh);
    const claim = (link: PeerLink, address: Endpoint | undefined): LinkClaim => {
      const url = address === undefined ? undefined : endpointUrl(address);
      const run = link === fresh ? runOf(presence, now) : link.run;
      return {
        direction: link.direction,
        silentMs: now - link.heardAt,
        address: url,
        ...(run === undefined ? {} : { run }),
      };
    };
    const { identity, settings, logger } = this.#options;
    const choice = chooseLink(
      identity.uuid,
      uuid,
      claim(old, known),
      claim(fresh, said),
      settings.heartbeatMs,
    );
    switch (choice) {
      case 'take the new':
        return true;
      case 'keep the old':
        // Who called must learn whom it reached, or it would call again and again.
        if (fresh.direction === 'accepted') fresh.introduce();
        fresh.close(CLOSE.duplicate, 'another link of the same two servers stays');
        return false;
      case 'the new is a copy':
      case 'the old is a copy': {
        const [first, copy] = choice === 'the new is a copy' ? [known, said] : [said, known];
        logger.warn(
          { peer: uuid, first: first && endpointUrl(first), copy: copy && endpointUrl(copy) },
          'two servers claim one SERVER_UUID: was a data folder copied? The one that was there first stays',
        );
        this.#refuse(
          choice === 'the new is a copy' ? fresh : old,
          first === undefined ? '' : endpointUrl(first),
        );
        return choice === 'the old is a copy';
      }
      default:
        choice satisfies never;
        return false;
    }
  }

  #heard(link: PeerLink, uuid: string, presence: Presence): void {
    const now = this.#now();
    const address = this.#reachable(presence.ADDRESS, link);
    const change = this.#membership.heard(
      uuid,
      {
        ...(address === undefined ? {} : { address }),
        ...(presence.LOAD === undefined ? {} : { load: presence.LOAD }),
        ...(link.latencyMs === undefined ? {} : { latencyMs: link.latencyMs }),
      },
      now,
    );
    if (change !== undefined) this.#changed(change);
    if (address !== undefined) this.#book.learn(address, uuid, now);
    for (const { SERVER_UUID, ...endpoint } of presence.PEERS ?? []) {
      if (SERVER_UUID === undefined || !this.#byPeer.has(SERVER_UUID))
        this.#book.learn(endpoint, SERVER_UUID, now);
    }
    const peer = this.#membership.get(uuid);
    if (peer !== undefined) this.#options.user.heard(peer, presence);
  }

  /** Others say where a server can be reached. */
  learn(endpoint: Endpoint, server: string): void {
    if (!this.#byPeer.has(server)) this.#book.learn(endpoint, server, this.#now());
  }

  /** A server that listens on all its addresses does not know which one is seen from here. */
  #reachable(address: Endpoint | undefined, link: PeerLink): Endpoint | undefined {
    if (address === undefined || !UNSPECIFIED.has(address.IP)) return address;
    const seen = link.endpoint?.IP ?? link.remoteAddress?.replace(/^::ffff:/, '');
    return seen === undefined ? undefined : { ...address, IP: seen };
  }

  #reached(endpoint: Endpoint, uuid: string | undefined): void {
    const wasUnreachable = this.#book.identified(endpoint, uuid, this.#now());
    if (wasUnreachable)
      this.#options.logger.info({ peer: endpointUrl(endpoint) }, 'peer can be reached again');
  }

  #patienceFor(link: PeerLink): number {
    const isNameless = link.uuid === undefined && link.direction === 'accepted';
    return isNameless ? NAMELESS_SILENCE_MS : this.#options.settings.deadAfterMs;
  }

  #changed({ peer, from }: PeerChange): void {
    const about = { peer: peer.uuid, address: peer.address && endpointUrl(peer.address), from };
    this.#options.logger.info(about, `peer is ${peer.state}`);
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

const UNSPECIFIED: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

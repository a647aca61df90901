import type { Endpoint, Load } from '../../protocol/index.ts';
import { type Run, wasFirst } from './run.ts';

export type PeerState = 'alive' | 'suspect' | 'dead';

/** A server that has said its SERVER_UUID. Times are monotonic ms. */
export interface Peer {
  readonly uuid: string;
  readonly state: PeerState;
  /** Where it can be reached, when it said so. */
  readonly address?: Endpoint;
  readonly load?: Load;
  readonly loadAt: number;
  /** Time from a heartbeat to its answer, ms. */
  readonly latencyMs?: number;
  readonly heardAt: number;
}

export interface PeerChange {
  readonly peer: Peer;
  /** undefined: it was not known. */
  readonly from: PeerState | undefined;
}

export interface MembershipSettings {
  readonly suspectAfterMs: number;
  readonly deadAfterMs: number;
  /** Most peers remembered. */
  readonly maxPeers: number;
}

/** What a message of a peer told of it. */
export interface PeerNews {
  readonly address?: Endpoint;
  readonly load?: Load;
  readonly latencyMs?: number;
}

/** A tick that comes later than this shows that our own event loop lags, ms. */
export const LAG_TOLERANCE_MS = 300;

/** A dead peer is forgotten after this, ms. */
export const FORGET_AFTER_MS = 10 * 60_000;

/**
 * Who is in the mesh, as this server sees it. Each peer is
 * - alive: it was heard within `suspectAfterMs`. Any message brings a peer here, from any state.
 * - suspect: it has been silent for longer, or its connection was lost. It is asked for nothing, and nobody is sent there.
 * - dead: it has been silent for `deadAfterMs`. After FORGET_AFTER_MS it is forgotten.
 *
 * Silence counts only while this server was able to listen: when `tick` comes late, the lateness is given to every peer,
 * because what they sent meanwhile is still unread. So a server that lags declares nobody dead.
 */
export class Membership {
  readonly #settings: MembershipSettings;
  readonly #peers = new Map<string, Peer>();
  #expectedTickAt = Number.POSITIVE_INFINITY;

  constructor(settings: MembershipSettings) {
    this.#settings = settings;
  }

  get(uuid: string): Peer | undefined {
    return this.#peers.get(uuid);
  }

  all(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  alive(): readonly Peer[] {
    return this.all().filter((peer) => peer.state === 'alive');
  }

  /** A known peer, or one for which there is room: the dead make way. */
  hasRoomFor(uuid: string): boolean {
    if (this.#peers.has(uuid) || this.#peers.size < this.#settings.maxPeers) return true;
    return this.all().some((peer) => peer.state === 'dead');
  }

  /** A message of a peer arrived. Call `hasRoomFor` before the first. */
  heard(uuid: string, news: PeerNews, now: number): PeerChange | undefined {
    const known = this.#peers.get(uuid);
    if (known === undefined) this.#makeRoom();
    const address = news.address ?? known?.address;
    const load = news.load ?? known?.load;
    const latencyMs = news.latencyMs ?? known?.latencyMs;
    return this.#set(
      {
        uuid,
        state: 'alive',
        heardAt: now,
        loadAt: news.load === undefined ? (known?.loadAt ?? now) : now,
        ...(address === undefined ? {} : { address }),
        ...(load === undefined ? {} : { load }),
        ...(latencyMs === undefined ? {} : { latencyMs }),
      },
      known?.state,
    );
  }

  /** The connection to a peer closed. */
  lostLink(uuid: string): PeerChange | undefined {
    const peer = this.#peers.get(uuid);
    return peer?.state === 'alive' ? this.#set({ ...peer, state: 'suspect' }, 'alive') : undefined;
  }

  /** Time passes. `nextTickMs`: when the next tick is due. */
  tick(now: number, nextTickMs: number): { changes: readonly PeerChange[]; lateMs: number } {
    const late = now - this.#expectedTickAt;
    const lateMs = late > LAG_TOLERANCE_MS ? late : 0;
    this.#expectedTickAt = now + nextTickMs;
    const changes: PeerChange[] = [];
    for (const known of this.#peers.values()) {
      const peer = lateMs > 0 ? { ...known, heardAt: Math.min(now, known.heardAt + lateMs) } : known;
      if (lateMs > 0) this.#peers.set(peer.uuid, peer);
      const state = this.#stateAfter(peer, now - peer.heardAt);
      if (state === undefined) this.#peers.delete(peer.uuid);
      else if (state !== peer.state) changes.push(...asList(this.#set({ ...peer, state }, peer.state)));
    }
    return { changes, lateMs };
  }

  #stateAfter(peer: Peer, silentMs: number): PeerState | undefined {
    if (silentMs >= FORGET_AFTER_MS) return undefined;
    if (silentMs >= this.#settings.deadAfterMs) return 'dead';
    if (silentMs >= this.#settings.suspectAfterMs) return 'suspect';
    return peer.state;
  }

  #makeRoom(): void {
    if (this.#peers.size < this.#settings.maxPeers) return;
    const dead = this.all().filter((peer) => peer.state === 'dead');
    const oldest = dead.sort((a, b) => a.heardAt - b.heardAt)[0];
    if (oldest !== undefined) this.#peers.delete(oldest.uuid);
  }

  #set(peer: Peer, from: PeerState | undefined): PeerChange | undefined {
    this.#peers.set(peer.uuid, peer);
    return peer.state === from ? undefined : { peer, from };
  }
}

function asList<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

/** Heartbeats after which a link that leads to another run counts as one that is left over. */
const COPY_SILENT_BEATS = 2;

export type LinkDirection = 'dialled' | 'accepted';

export interface LinkClaim {
  readonly direction: LinkDirection;
  /** Time since something was last heard on it, ms. */
  readonly silentMs: number;
  /** Where the peer says it can be reached, as URL. */
  readonly address: string | undefined;
  readonly run?: Run;
}

export type LinkChoice =
  | 'keep the old'
  | 'take the new'
  /** Two servers run with the same SERVER_UUID: somebody copied a data folder. The one that was there first stays. */
  | 'the new is a copy'
  | 'the old is a copy';

/**
 * One link per pair. Both ends decide alike: of two links in opposite directions the one stays that the server with the
 * lower SERVER_UUID dialled. Of two in the same direction the newer stays, for the older is a leftover.
 *
 * A link that is well alive and leads to another address, and to another run where that is said, is that of another server with the
 * same SERVER_UUID. A server that was started again leaves a link behind that is silent, or led to the same address.
 */
export function chooseLink(
  self: string,
  peer: string,
  old: LinkClaim,
  fresh: LinkClaim,
  heartbeatMs: number,
): LinkChoice {
  const isOther = old.run !== undefined && fresh.run !== undefined && old.run.instance !== fresh.run.instance;
  const elsewhere = old.address !== undefined && fresh.address !== undefined && old.address !== fresh.address;
  if (isOther && old.run !== undefined && fresh.run !== undefined) {
    if (!elsewhere || old.silentMs >= COPY_SILENT_BEATS * heartbeatMs) return 'take the new';
    return wasFirst(old.run, fresh.run) ? 'the new is a copy' : 'the old is a copy';
  }
  if (old.direction !== fresh.direction) {
    const kept: LinkDirection = self < peer ? 'dialled' : 'accepted';
    return fresh.direction === kept ? 'take the new' : 'keep the old';
  }
  const isSaid = old.run !== undefined && fresh.run !== undefined;
  return !isSaid && elsewhere && old.silentMs < heartbeatMs ? 'the new is a copy' : 'take the new';
}

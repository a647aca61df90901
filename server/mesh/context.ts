import type { Endpoint, PeerMessage } from '../../protocol/index.ts';
import type { Peer } from './membership.ts';
import type { Clock, MeshLogger, MeshPool } from './ports.ts';
import type { MeshSettings } from './settings.ts';

export interface MeshIdentity {
  /** SERVER_UUID; the same after a restart. */
  readonly uuid: string;
  /** Where peers and workers reach this server. */
  readonly address: Endpoint;
  /** Another one after every start; undefined: this server does not say. */
  readonly instance?: string;
}

/** What the lending and the borrowing side of a server know of the mesh around them. */
export interface MeshContext {
  readonly identity: MeshIdentity;
  readonly settings: MeshSettings;
  readonly clock: Clock;
  /** Chance, from [0, 1). */
  readonly random: () => number;
  readonly logger: MeshLogger;
  readonly pool: MeshPool;
  /** Signs and checks tickets. */
  readonly ticketKey: Uint8Array;
  peer(uuid: string): Peer | undefined;
  /** Live peers with an open link. */
  livePeers(): readonly Peer[];
  /** Over the link of that peer. @returns false when it has none. */
  send(uuid: string, message: PeerMessage): boolean;
  /** Something changed that peers should hear of before the next heartbeat is due. */
  tellSoon(): void;
  /** Something changed that may allow or need a decision. */
  decideSoon(): void;
}

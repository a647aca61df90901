import type { Load } from '../../protocol/index.ts';
import type { LoanState, LoanTotals } from './ledger.ts';
import type { LinkDirection, PeerState } from './membership.ts';
import type { Saturation } from './saturation.ts';

/** The mesh as this server sees it, for page, CLI and metrics. Plain data; times in ms, moments in ms since the epoch. */
export interface MeshSnapshot {
  readonly server: string;
  readonly address: string;
  readonly saturation: Saturation;
  readonly saturationForMs: number;
  readonly load: Load;
  readonly peers: readonly {
    readonly server: string;
    readonly address: string | undefined;
    readonly state: PeerState;
    /** Who opened the link; undefined: there is none. */
    readonly link: LinkDirection | undefined;
    readonly load: Load | undefined;
    readonly latencyMs: number | undefined;
    readonly silentMs: number;
  }[];
  readonly lent: readonly {
    readonly loan: string;
    readonly worker: string;
    readonly borrower: string;
    readonly state: LoanState;
    readonly lentAt: number;
    readonly lendUntil: number;
  }[];
  readonly borrowed: readonly {
    readonly loan: string;
    readonly worker: string;
    readonly home: string;
    readonly state: 'here' | 'away' | 'leaving';
    readonly lendUntil: number;
  }[];
  /** Workers promised that have not arrived. */
  readonly expected: number;
  /** Loans made, returned and lost by this home since its store was made. */
  readonly totals: LoanTotals;
}

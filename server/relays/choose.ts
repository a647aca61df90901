/** What the choice of a relay looks at. */
export interface RelayCandidate {
  readonly name: string;
  readonly weight: number;
  /** Recipients leased for it. */
  readonly leased: number;
  readonly breaker: 'closed' | 'half-open' | 'probing' | 'open';
  /** Connections that the asking worker may open to it; 0: its limit is reached. */
  readonly connections: number;
}

export interface RelayChoice {
  readonly name: string;
  /** A half-open relay gets one recipient. */
  readonly probe: boolean;
}

/**
 * The relay for a new task (DESIGN §5.9): one that waits for its probe comes first, for otherwise it would never be known to be
 * back; then the healthy one with the least mail under way for its weight.
 */
export function chooseRelay(candidates: readonly RelayCandidate[]): RelayChoice | undefined {
  let best: RelayCandidate | undefined;
  for (const candidate of candidates) {
    if (candidate.connections <= 0) continue;
    if (candidate.breaker === 'half-open') return { name: candidate.name, probe: true };
    if (candidate.breaker !== 'closed') continue;
    if (best === undefined || share(candidate) < share(best)) best = candidate;
  }
  return best === undefined ? undefined : { name: best.name, probe: false };
}

const share = (candidate: RelayCandidate): number => (candidate.leased + 1) / candidate.weight;

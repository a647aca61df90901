import { type Endpoint, endpointUrl, PROTOCOL_VERSION } from '../protocol/index.ts';
import type { BatchBook } from './batches/batch-book.ts';
import type { LeaseBook } from './dispatch/lease-book.ts';
import type { SuspectBook } from './dispatch/suspect-book.ts';
import type { WorkerBook } from './dispatch/worker-book.ts';
import type { HealthMonitor } from './health/monitor.ts';
import type { Mesh } from './mesh/mesh.ts';
import type { Tenure } from './owners/tenure.ts';
import type { RateMeter } from './rate-meter.ts';
import type { RelayBook } from './relays/relay-book.ts';
import type { Store } from './store/store.ts';
import { VERSION } from './version.ts';

/** Workers described one by one; beyond that only their number is told. */
const MAX_WORKERS_LISTED = 200;

export interface SnapshotParts {
  readonly identity: { readonly uuid: string; readonly address: Endpoint };
  readonly startedAt: number;
  readonly phase: string;
  readonly book: BatchBook;
  readonly workers: WorkerBook;
  readonly leases: LeaseBook;
  readonly suspects: SuspectBook;
  readonly relays: RelayBook;
  readonly settled: RateMeter;
  readonly mesh: Mesh;
  readonly store: Store;
  readonly health: Pick<HealthMonitor, 'snapshot'>;
  /** Absent: no other server uses the store. */
  readonly tenure: Pick<Tenure, 'snapshot'> | undefined;
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** A server described for the command line, the page and the demo. */
export function describeServer(parts: SnapshotParts): Record<string, unknown> {
  const { identity, book, workers, leases, relays, settled, mesh, store } = parts;
  const now = parts.monotonic();
  const listed = [...workers.all()].slice(0, MAX_WORKERS_LISTED).map((worker) => ({
    uuid: worker.uuid,
    ...(worker.home === undefined ? {} : { home: worker.home }),
    tasks: worker.leases.size,
    idle: worker.idle,
    rate: Math.round(worker.meter.rate(now) ?? 0),
    connectedS: Math.round((now - worker.since) / 1000),
    ...(worker.leaving || worker.departing ? { leaving: true } : {}),
  }));
  return {
    uuid: identity.uuid,
    url: endpointUrl(identity.address),
    version: VERSION,
    protocol: PROTOCOL_VERSION,
    state: parts.phase,
    health: parts.health.snapshot(),
    uptimeS: Math.round((parts.now() - parts.startedAt) / 1000),
    batches: [...book.all()].length,
    backlog: [...book.all()].reduce(
      (sum, { figures }) => sum + figures.counts.pending + figures.counts.deferred,
      0,
    ),
    ready: book.ready(),
    sending: leases.recipients(),
    rate: Math.round(settled.rate(now) ?? 0),
    workers: listed,
    workersTotal: workers.size,
    relays: relays.snapshot(),
    setAside: parts.suspects.snapshot(),
    mesh: mesh.snapshot(),
    store: store.snapshot(),
    ...(parts.tenure === undefined ? {} : { owner: parts.tenure.snapshot() }),
    memoryMB: Math.round(process.memoryUsage().rss / 1048576),
  };
}

import { join } from 'node:path';
import type { Bench, Findings } from '../bench.ts';
import { Child } from '../contenders/child.ts';
import { Home } from '../contenders/home.ts';
import { figure, textTable } from '../text-table.ts';
import { cpuMicrosOf, peakRssMBOf, rssMBOf } from '../usage.ts';

const CROWD = join(import.meta.dirname, '..', 'crowd', 'main.ts');
/** Nobody listens there: nothing is sent here. */
const NOWHERE = { host: '127.0.0.1', port: 9 };
const WORKERS = 2_000;
/** After the last has connected, ms. */
const SETTLE_MS = 3_000;
/** Two and more rounds of heartbeats (10 s) and of parked pulls (20 s) of every worker. */
const WATCH_MS = 45_000;
const WATCH_QUICK_MS = 22_000;
const WATCH_EMPTY_MS = 5_000;

interface IdleRow {
  readonly name: string;
  readonly workers: number;
  /** Share of one core, %. */
  readonly cpuPercent: number | null;
  readonly rssMB: number | null;
  readonly peakRssMB: number | null;
}

/** What workers that wait for work cost their server: connections, heartbeats, parked pulls. */
export async function measureIdle(bench: Bench): Promise<Findings> {
  const { options, say, orInterrupted } = bench;
  const home = await Home.start({ relay: NOWHERE });
  let crowd: Child | undefined;
  try {
    const { pids, url } = home;
    const watchMs = Number.isFinite(options.budgetMs) ? WATCH_QUICK_MS : WATCH_MS;
    const empty = await orInterrupted(observe('none', 0, pids.server, WATCH_EMPTY_MS));
    say(
      `connecting ${figure(WORKERS)} idle workers, all in one process, then watching for ${watchMs / 1000} s`,
    );
    crowd = await orInterrupted(Child.start('crowd', CROWD, [url, String(WORKERS)]));
    await orInterrupted(sleep(SETTLE_MS));
    const { workersTotal } = await home.client.server();
    if (workersTotal !== WORKERS) throw new Error(`the server knows of ${String(workersTotal)} workers`);
    const full = await orInterrupted(observe('idle workers', WORKERS, pids.server, watchMs));
    const rows = [empty, full];
    return {
      sink: 'none',
      settings: { workers: WORKERS, seconds: watchMs / 1000 },
      rows,
      table: [
        ...textTable(
          ['server with', 'workers', 'CPU % of a core', 'RSS MB', 'peak RSS MB'],
          rows.map((row) => [
            row.name,
            figure(row.workers),
            row.cpuPercent?.toFixed(2) ?? '?',
            figure(row.rssMB),
            figure(row.peakRssMB),
          ]),
        ),
        '',
        `Each thousand: ${perThousand(full.cpuPercent, empty.cpuPercent)} % of a core, ${perThousand(full.rssMB, empty.rssMB)} MB`,
      ],
    };
  } finally {
    await crowd?.stop();
    await home.stop();
  }
}

async function observe(
  name: string,
  workers: number,
  pids: readonly number[],
  forMs: number,
): Promise<IdleRow> {
  const before = cpuMicrosOf(pids);
  const startedAt = performance.now();
  await sleep(forMs);
  const after = cpuMicrosOf(pids);
  const micros = (performance.now() - startedAt) * 1000;
  const whole = (value: number | undefined): number | null =>
    value === undefined ? null : Math.round(value);
  return {
    name,
    workers,
    cpuPercent:
      before === undefined || after === undefined
        ? null
        : Number((((after - before) / micros) * 100).toFixed(2)),
    rssMB: whole(rssMBOf(pids)),
    peakRssMB: whole(peakRssMBOf(pids)),
  };
}

function perThousand(full: number | null, empty: number | null): string {
  return full === null || empty === null ? '?' : (((full - empty) / WORKERS) * 1_000).toFixed(1);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

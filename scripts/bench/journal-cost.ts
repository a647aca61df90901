import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type WebSocket, WebSocketServer } from 'ws';
import { Journal } from '../../worker/journal/journal.ts';
import { SILENT } from '../../worker/logger.ts';
import { compose } from '../../worker/tasks/compose.ts';
import { startWorker } from '../../worker/worker.ts';
import { Process } from '../support/process.ts';
import { type Spread, spreadOf } from './statistics.ts';

/**
 * What the worker's journal costs: the same worker sends the same mail to the same sink with a journal and without, in turns, and the
 * difference of each pair is in processor time, which other work on the machine disturbs less than the clock.
 *
 *   node scripts/bench/journal-cost.ts [--pairs 10] [--mails 20000] [--connections 20] [--chunking]
 */
const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '10' },
    mails: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '20' },
    chunking: { type: 'boolean', default: false },
  },
});
const pairs = Number(values.pairs);
const connections = Number(values.connections);
const TASK_SIZE = 1_000;
const tasks = Math.ceil(Number(values.mails) / TASK_SIZE);
const TEXT = 'All work and no play makes a long letter, and this is one of two kilobytes. '.repeat(26);

/** Gives tasks, acknowledges reports, and resolves when all tasks are DONE. */
function serve(server: WebSocketServer, port: number): Promise<void> {
  return new Promise((resolve) => {
    let given = 0;
    let done = 0;
    const give = (socket: WebSocket): void => {
      if (given === tasks) return;
      const id = `task-${given++}`;
      socket.send(
        JSON.stringify({
          ...{
            TASK: 'SEND',
            TASK_UUID: id,
            BATCH_UUID: 'batch',
            LEASE_S: 600,
            DATE: '2026-01-01T12:00:00.000Z',
          },
          MESSAGE: { FROM: 'News <news@example.org>', SUBJECT: 'Hello', TEXT },
          RELAY: { NAME: 'sink', HOST: '127.0.0.1', PORT: port, SECURE: false },
          RECIPIENTS: Array.from({ length: TASK_SIZE }, (_, SEQ) => ({
            ...{ SEQ, ADDRESS: `reader${SEQ}@example.net`, MESSAGE_ID: `<${id}.${SEQ}@example.org>` },
          })),
        }),
      );
    };
    server.once('connection', (socket) => {
      give(socket);
      give(socket);
      socket.on('message', (data) => {
        const report = JSON.parse(String(data)) as { STATUS?: string; TASK_UUID?: string; DONE?: boolean };
        if (report.STATUS === undefined) return;
        socket.send(JSON.stringify({ STATUS: 'ACK', TASK_UUID: report.TASK_UUID }));
        if (report.DONE !== true) return;
        give(socket);
        if (++done === tasks) resolve();
      });
    });
  });
}

/** @returns processor time of one mail, µs */
async function run(relay: number, journal: Journal | undefined): Promise<number> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  const finished = serve(server, relay);
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const before = process.cpuUsage();
  const worker = startWorker({ servers: [url], logger: SILENT, compile: compose, connections, journal });
  await finished;
  const { user, system } = process.cpuUsage(before);
  await worker.stop();
  server.close();
  return (user + system) / (tasks * TASK_SIZE);
}

const folder = mkdtempSync(join(tmpdir(), 'mutirao-journal-'));
const sinkArgs = ['--port', '0', ...(values.chunking ? ['--chunking'] : [])];
const sink = new Process({ name: 'sink', entry: 'sink/main.ts', args: sinkArgs });
try {
  const [, port] = await sink.prints(/^Sink listening on smtp:\/\/[\d.]+:(\d+)/, 10_000);
  const differences: number[] = [];
  const totals = { with: [] as number[], without: [] as number[] };
  for (let pair = 0; pair <= pairs; pair++) {
    const order = pair % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const);
    const cpu = { with: 0, without: 0 };
    for (const mode of order) {
      const journal = mode === 'with' ? Journal.open({ folder, logger: SILENT }) : undefined;
      cpu[mode] = await run(Number(port), journal);
      journal?.close();
    }
    // The first pair warms up.
    if (pair === 0) continue;
    differences.push(cpu.with - cpu.without);
    totals.with.push(cpu.with);
    totals.without.push(cpu.without);
    process.stdout.write(
      `pair ${pair}: ${cpu.with.toFixed(1)} µs with, ${cpu.without.toFixed(1)} µs without\n`,
    );
  }
  const [cost, withJournal, without] = [differences, totals.with, totals.without].map(spreadOf) as [
    Spread,
    Spread,
    Spread,
  ];
  process.stdout.write(
    `processor time per mail: ${withJournal.median.toFixed(1)} µs with the journal, ${without.median.toFixed(1)} µs without; ` +
      `median difference ${cost.median.toFixed(2)} µs (${cost.min.toFixed(1)} to ${cost.max.toFixed(1)})\n`,
  );
} finally {
  await sink.kill();
  rmSync(folder, { recursive: true, force: true });
}

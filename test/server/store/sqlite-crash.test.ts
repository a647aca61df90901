import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../../server/store/index.ts';

const WRITER = fileURLToPath(new URL('crash-writer.ts', import.meta.url));

/** Lines of acknowledged work after which the writer is killed: it is in the midst of it. */
const ENOUGH_LINES = [50, 700, 3_000];

describe('a store whose process is killed in mid-write', () => {
  let folder: string;
  let child: ChildProcess | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mutirao-crash-'));
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it.each(ENOUGH_LINES)('has everything that was acknowledged (%i lines)', async (enough) => {
    child = spawn(process.execPath, [WRITER, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = await killAfter(child, enough);
    const seqsOf = (word: string): number[] =>
      lines.flatMap((line) => (line.startsWith(`${word} `) ? [Number(line.slice(word.length + 1))] : []));
    const batch = lines[0]?.slice('batch '.length) ?? '';

    const store = openSqliteStore({ folder });
    // The lock of a dead process is no lock.
    await store.start();
    try {
      for (const { uuid } of await store.listBatches(10_000)) {
        expect((await store.audit(uuid)).problems).toEqual([]);
      }
      const counts = (await store.getBatch(batch))?.counts;
      expect(counts?.sent).toBeGreaterThanOrEqual(seqsOf('sent').length);
      const deferred = await store.listRecipients(batch, 'DEFERRED', -1, 100_000);
      const stored = new Set(deferred.map((one) => one.seq));
      expect(seqsOf('deferred').filter((seq) => !stored.has(seq))).toEqual([]);
      for (const line of lines.filter((one) => one.startsWith('committed '))) {
        expect((await store.getBatch(line.slice('committed '.length)))?.counts.pending).toBe(1_000);
      }
      const leased = (await store.leases()).flatMap((lease) => lease.remaining);
      const inLease = (seq: number): boolean => leased.some(([from, to]) => from <= seq && seq <= to);
      expect(seqsOf('sent').filter(inLease)).toEqual([]);
    } finally {
      await store.stop();
    }
  });
});

/** Kills the writer with SIGKILL after so many lines; tells all whole lines that it wrote. */
async function killAfter(child: ChildProcess, enough: number): Promise<string[]> {
  let text = '';
  let seen = 0;
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    seen += chunk.split('\n').length - 1;
    if (seen >= enough) child.kill('SIGKILL');
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
  return text.split('\n').slice(0, -1);
}

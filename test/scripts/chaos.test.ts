import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Process } from '../../scripts/support/process.ts';

const SECONDS = 20;
/** What is lost and unexplained is looked for; how long the machine takes is not. */
const WITHIN_MS = 170_000;

function chaos(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Process {
  const run = new Process({ name: 'chaos', entry: 'scripts/chaos/main.ts', args, env });
  // It ends its own processes with it.
  onTestFinished(async () => void (await run.stop('SIGINT')));
  return run;
}

test('20 s of chaos lose nothing, and leave no duplicate unexplained', {
  timeout: WITHIN_MS + 10_000,
}, async () => {
  const run = chaos(['--seconds', String(SECONDS), '--seed', '1', '--recipients', '5000', '--json']);
  const code = await run.ended(WITHIN_MS);
  expect(code, run.said.slice(-30).join('\n')).toBe(0);
  const report = JSON.parse(run.printed.at(-1) ?? '');
  expect(report).toMatchObject({ recipients: 5_000, lost: 0, unexplainedDuplicates: 0 });
  expect(report.sent + report.failed + report.unknown).toBe(5_000);
  expect(report.faults).toBeGreaterThanOrEqual(3 * SECONDS);
  expect(report.healSeconds).toBeLessThan(60);
  for (const key of ['duplicates', 'inFlightAtKills']) expect(report[key]).toEqual(expect.any(Number));
});

test('chaos that is interrupted leaves nothing behind', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const run = chaos(['--seconds', '20', '--recipients', '100'], { ...process.env, TMPDIR: folder });
  await run.prints(/faults/, 40_000);
  const left = (): string[] => readdirSync(folder).filter((name) => name.startsWith('mutirao-'));
  expect(left()).toHaveLength(1);
  expect(await run.stop('SIGINT')).toBe(130);
  expect(left()).toEqual([]);
});

test('chaos says which flag is wrong', async () => {
  const run = chaos(['--seconds', 'many']);
  expect(await run.ended()).toBe(1);
  expect(run.said.join('\n')).toContain('chaos: --seconds many: give a whole number');
});

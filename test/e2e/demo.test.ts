import { expect, onTestFinished, test } from 'vitest';
import { Town } from './support/town.ts';

test('the demo ends well, and its accounting balances', { timeout: 120_000 }, async () => {
  const town = await Town.raise();
  // Enough for two workers to be saturated whatever they do in their first seconds.
  const demo = town.run('demo', 'scripts/demo/main.ts', ['--json', '--recipients', '4000']);
  // It ends its own processes with it.
  onTestFinished(async () => void (await demo.stop('SIGINT')));
  expect(await demo.ended(110_000), demo.said.slice(-30).join('\n')).toBe(0);
  const report = JSON.parse(demo.printed.at(-1) ?? '');
  expect(report).toMatchObject({ submitted: 4500, failed: 15, sent: 4485, lost: 0 });
  expect(report.explainedDuplicates).toBe(report.duplicated);
  expect(report.loans).toBeGreaterThanOrEqual(1);
  expect(report.returned).toBe(report.loans);
});

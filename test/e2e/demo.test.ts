import { expect, onTestFinished, test } from 'vitest';
import { Town } from './support/town.ts';

test('the demo ends well, and its accounting balances', { timeout: 120_000 }, async () => {
  const town = await Town.raise();
  const demo = town.run('demo', 'scripts/demo/main.ts', ['--json', '--recipients', '2000']);
  // It ends its own processes with it.
  onTestFinished(async () => void (await demo.stop('SIGINT')));
  expect(await demo.ended(110_000), demo.said.slice(-30).join('\n')).toBe(0);
  const report = JSON.parse(demo.printed.at(-1) ?? '');
  expect(report).toMatchObject({ submitted: 2500, failed: 10, sent: 2490, lost: 0 });
  expect(report.explainedDuplicates).toBe(report.duplicated);
  expect(report.loans).toBeGreaterThanOrEqual(1);
  expect(report.returned).toBe(report.loans);
});

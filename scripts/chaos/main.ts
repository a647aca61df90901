/**
 * Real processes under a seeded menu of faults, and an accounting in the end: what the relays have against what the stores say.
 *
 *   npm run chaos -- --seconds 60 --seed 1
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChaosOptionError, type ChaosOptions, chaosOptions, HELP } from './options.ts';
import { type Outcome, Run } from './run.ts';
import { View } from './view.ts';

function optionsOrExit(): ChaosOptions {
  try {
    return chaosOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof ChaosOptionError)) throw error;
    process.stderr.write(`chaos: ${error.message}\n`);
    process.exit(1);
  }
}

function tell(outcome: Outcome, view: View): void {
  const rows: [string, number, string][] = [
    ['faults', outcome.faults, ''],
    ['recipients', outcome.recipients, ''],
    ['sent', outcome.sent, ''],
    ['failed', outcome.failed, 'refused for good by the relays'],
    ['unknown', outcome.unknown, 'possibly sent, and left alone as their batch asks'],
    ['lost', outcome.lost, ''],
    ['duplicates', outcome.duplicates, `${outcome.unexplainedDuplicates} of them unexplained`],
    ['in flight', outcome.inFlightAtKills, 'when a worker or a relay was killed'],
    ['', outcome.inFlightAtFreezes, 'when a worker was stopped'],
    ['loans', outcome.loans, 'made by the servers to each other'],
    ['healed after', outcome.healSeconds, 's'],
  ];
  view.line('\nThe relays have, and the stores say:');
  for (const [name, value, note] of rows)
    view.line(`  ${name.padEnd(14)}${value.toLocaleString('en').padStart(9)}  ${note}`.trimEnd());
  for (const violation of outcome.violations) view.line(`  VIOLATION: ${violation}`);
}

async function main(options: ChaosOptions): Promise<number> {
  const view = new View(options.json ? process.stderr : process.stdout);
  const folder = mkdtempSync(join(tmpdir(), 'mutirao-chaos-'));
  const run = new Run(folder, options, view);
  let isInterrupted = false;
  const interrupt = (): void => {
    isInterrupted = true;
    void run.kill();
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  let outcome: Outcome;
  try {
    outcome = await run.run();
  } catch (error) {
    await run.kill();
    if (!isInterrupted) {
      view.line(`Logs and stores are in ${folder}; the seed was ${options.seed}.`);
      throw error;
    }
    rmSync(folder, { recursive: true, force: true });
    return 130;
  }
  const { violations, ...figures } = outcome;
  tell(outcome, view);
  const isWell = violations.length === 0;
  if (isWell && !options.keep) rmSync(folder, { recursive: true, force: true });
  else view.line(`Logs and stores are in ${folder}.`);
  view.line(
    isWell ? 'Nothing is lost, and nothing is unexplained.' : `RULES WERE BROKEN, with seed ${options.seed}.`,
  );
  if (options.json) {
    const more = isWell ? {} : { violations, folder };
    process.stdout.write(`${JSON.stringify({ ...figures, seed: options.seed, ...more })}\n`);
  }
  return isWell ? 0 : 1;
}

const options = optionsOrExit();
if (options.help) process.stdout.write(HELP);
else process.exitCode = await main(options);

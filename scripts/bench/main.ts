/**
 * The benchmark: Mutirão beside what one would use instead, in one run, taking turns; and with a flag, one question about
 * Mutirão alone. See docs/BENCHMARKS.md for the method and its limits.
 *
 *   npm run bench -- [--latency MS | --submit | --one | --lend | --workers | --idle | --dkim] [--quick] [--json] [--out FILE]
 */
import { writeFileSync } from 'node:fs';
import type { Bench, Findings } from './bench.ts';
import { isBusy, machineOf } from './machine.ts';
import { compare } from './modes/compare.ts';
import { measureDkim } from './modes/dkim.ts';
import { measureIdle } from './modes/idle.ts';
import { measureLatency } from './modes/latency.ts';
import { measureLending } from './modes/lend.ts';
import { measureOne } from './modes/one.ts';
import { measureSubmit } from './modes/submit.ts';
import { measureWorkers } from './modes/workers.ts';
import { type BenchOptions, HELP, type Mode, optionsOf } from './options.ts';

const BY_MODE: Readonly<Record<Mode, (bench: Bench) => Promise<Findings>>> = {
  compare,
  latency: measureLatency,
  submit: measureSubmit,
  one: measureOne,
  lend: measureLending,
  workers: measureWorkers,
  idle: measureIdle,
  dkim: measureDkim,
};

const startedAt = performance.now();

const interrupted = new Promise<never>((_resolve, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
interrupted.catch(() => {});

async function run(options: BenchOptions): Promise<void> {
  const say = (line = ''): void => {
    if (options.json) process.stderr.write(`${line}\n`);
    else process.stdout.write(`${line}\n`);
  };
  const machine = machineOf();
  say(`${machine.cores} cores (${machine.cpu}), Node ${machine.node}, nodemailer ${machine.nodemailer}`);
  say(
    machine.storeInMemory
      ? 'The store is on a file system in memory: durability costs nothing here.'
      : `The store is on a disk that takes ${machine.syncMs} ms to make a page durable.`,
  );
  if (isBusy(machine))
    say(`Others are using this machine (load ${machine.loadBefore}): read the ratios, not the rates.`);
  const { sink, settings, rows, table, skipped } = await BY_MODE[options.mode]({
    options,
    say,
    orInterrupted: (work) => Promise.race([work, interrupted]),
    elapsedMs: () => performance.now() - startedAt,
  });
  say();
  for (const line of table) say(line);
  const report = JSON.stringify({
    mode: options.mode,
    machine: { ...machine, sink },
    settings,
    rows,
    skipped,
  });
  if (options.out !== undefined) writeFileSync(options.out, `${report}\n`);
  if (options.json) process.stdout.write(`${report}\n`);
}

try {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else await run(options);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

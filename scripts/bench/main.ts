/**
 * The benchmark: Mutirão end to end (submit, store, send, result stored) beside nodemailer doing the same work in a loop, in
 * one run, taking turns. See docs/BENCHMARKS.md for the method and its limits.
 *
 *   npm run bench -- [--quick] [--json] [--out FILE]
 */
import { writeFileSync } from 'node:fs';
import { allowsRound } from './budget.ts';
import type { Contender, Load, Relay, Sample } from './contender.ts';
import { letterOf } from './letter.ts';
import { machineOf } from './machine.ts';
import { Mutirao } from './mutirao.ts';
import { type BenchOptions, HELP, optionsOf } from './options.ts';
import { type Rounds, rowsOf } from './results.ts';
import { Rival } from './rival.ts';
import { startSink } from './sink.ts';
import { partsOf, tableOf } from './table.ts';

/** Mails that everybody sends before the first round, so that nobody is measured while compiling. */
const WARM_UP_MAILS = 2_000;

const startedAt = performance.now();

/** Rejects at Ctrl-C: whatever waits for it too ends, and stops what it has started. */
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
  const sink = await startSink();
  try {
    const machine = machineOf(sink.name);
    const { mails, connections, workers } = options;
    say(
      `${machine.cores} cores (${machine.cpu}), Node ${machine.node}, nodemailer ${machine.nodemailer}, sink: ${sink.name}`,
    );
    say(`${mails} mails a round, ${connections} connections, worker processes: ${workers}`);
    say(
      machine.storeInMemory
        ? 'The store is on a file system in memory: durability costs nothing here.'
        : `The store is on a disk that takes ${machine.syncMs} ms to make a page durable.`,
    );
    const all: Rounds[] = [];
    for (const bytes of options.bytes) all.push(...(await measure(bytes, options, sink, say)));
    const rows = rowsOf(all);
    say();
    for (const line of [...tableOf(rows), '', ...partsOf(rows)]) say(line);
    const report = JSON.stringify({ machine, options: { mails, connections, workers }, rows });
    if (options.out !== undefined) writeFileSync(options.out, `${report}\n`);
    if (options.json) process.stdout.write(`${report}\n`);
  } finally {
    await sink.stop();
  }
}

/** All contenders with mail of one size, round by round. */
async function measure(
  bytes: number,
  options: BenchOptions,
  relay: Relay,
  say: (line: string) => void,
): Promise<Rounds[]> {
  const { mails, connections, workers, rounds, budgetMs } = options;
  const contenders: readonly Contender[] = [
    new Mutirao({ relay, workers, connections }),
    new Rival('nodemailer-pool', relay, connections),
    new Rival('nodemailer-connection', relay, connections),
  ];
  const letter = letterOf(bytes);
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  try {
    for (const contender of contenders) {
      await contender.start();
      await Promise.race([contender.round({ mails: Math.min(mails, WARM_UP_MAILS), letter }), interrupted]);
    }
    const roundsMs: number[] = [];
    while (roundsMs.length < rounds && allowsRound(roundsMs, performance.now() - startedAt, budgetMs)) {
      const roundAt = performance.now();
      const load: Load = { mails, letter };
      const line: string[] = [];
      // Whoever comes first in one round comes last in the next.
      for (const contender of turns(contenders, roundsMs.length)) {
        const sample = await Promise.race([contender.round(load), interrupted]);
        samples.get(contender)?.push(sample);
        line.push(`${contender.name} ${Math.round(mails / sample.seconds)}`);
      }
      roundsMs.push(performance.now() - roundAt);
      say(`${bytes} bytes, round ${roundsMs.length}, mails/s: ${line.join(', ')}`);
    }
    return contenders.map((contender) => ({
      name: contender.name,
      bytes,
      samples: samples.get(contender) ?? [],
      peakRssMB: contender.peakRssMB(),
    }));
  } finally {
    for (const contender of contenders) await contender.stop();
  }
}

function turns<T>(all: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...all] : all.toReversed();
}

try {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else await run(options);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

/**
 * Stories of servers, workers, relays and clients under virtual time, and what must hold in all of them.
 *
 *   npm run simulate -- --seeds 1000
 */
import { BUGS } from './bugs.ts';
import { playAll } from './crew.ts';
import { HELP, SimulateOptionError, type SimulateOptions, simulateOptions } from './options.ts';
import { type Story, simulate } from './simulate.ts';

/** A line of progress at most this often, ms. */
const PROGRESS_EVERY_MS = 2_000;

function optionsOrExit(): SimulateOptions {
  try {
    return simulateOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof SimulateOptionError)) throw error;
    process.stderr.write(`simulate: ${error.message}\n`);
    process.exit(1);
  }
}

/** Tells how far it is, on the terminal in place and otherwise line by line. */
class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #seeds: number;
  #count = 0;
  #steps = 0;
  #toldAt = performance.now();

  constructor(stream: NodeJS.WriteStream, seeds: number) {
    this.#stream = stream;
    this.#seeds = seeds;
  }

  told(story: Story): void {
    this.#count++;
    this.#steps += story.steps;
    if (story.violation !== undefined) this.#stream.write(`${this.#clear}${failure(story)}\n`);
    if (performance.now() - this.#toldAt < PROGRESS_EVERY_MS) return;
    this.#toldAt = performance.now();
    const line = `${this.#count} of ${this.#seeds} seeds, ${this.#steps.toLocaleString('en')} steps`;
    this.#stream.write(this.#stream.isTTY ? `\r${line}` : `${line}\n`);
  }

  get #clear(): string {
    return this.#stream.isTTY ? '\r\x1b[K' : '';
  }
}

function failure({ seed, violation }: Story): string {
  const at = ((violation?.at ?? 0) / 1_000).toFixed(3);
  return `seed ${seed}: "${violation?.invariant}" does not hold after ${at} s: ${violation?.detail}`;
}

async function main(options: SimulateOptions): Promise<number> {
  const stream = options.json ? process.stderr : process.stdout;
  const startedAt = performance.now();
  const stories = options.verbose ? [await tellOne(options, stream)] : await tellMany(options, stream);
  const seconds = (performance.now() - startedAt) / 1_000;
  const sum = (of: (story: Story) => number): number => stories.reduce((all, story) => all + of(story), 0);
  const broken = stories.filter(({ violation }) => violation !== undefined);
  const virtualSeconds = sum(({ virtualMs }) => virtualMs) / 1_000;
  const rows: [string, number][] = [
    ['seeds', stories.length],
    ['steps', sum(({ steps }) => steps)],
    ['faults', sum(({ faults }) => faults)],
    ['mails', sum(({ mails }) => mails)],
    ['loans', sum(({ loans }) => loans)],
    ['virtual hours', Math.round(virtualSeconds / 360) / 10],
    ['times faster', Math.round(virtualSeconds / seconds)],
    ['violations', broken.length],
  ];
  if (stream.isTTY) stream.write('\r\x1b[K');
  for (const [name, value] of rows) stream.write(`  ${name.padEnd(15)}${value.toLocaleString('en')}\n`);
  const first = broken[0];
  if (first !== undefined) {
    const bug = options.bug === undefined ? '' : ` --bug ${options.bug}`;
    stream.write(
      `\nThe first is seed ${first.seed}. Its story: npm run simulate -- --seed ${first.seed} --verbose${bug}\n`,
    );
  }
  if (options.json) {
    const { steps, violations } = Object.fromEntries(rows);
    process.stdout.write(`${JSON.stringify({ seeds: stories.length, steps, violations })}\n`);
  }
  return broken.length > 0 ? 1 : 0;
}

function tellMany(options: SimulateOptions, stream: NodeJS.WriteStream): Promise<Story[]> {
  const progress = new Progress(stream, options.seeds);
  return playAll({
    ...options,
    told: (story) => progress.told(story),
    // Of a mistake that was put in, one word is enough.
    isEnough: ({ violation }) => options.bug !== undefined && violation !== undefined,
  });
}

async function tellOne({ from, bug }: SimulateOptions, stream: NodeJS.WriteStream): Promise<Story> {
  const story = await simulate(from, {
    tell: (line) => stream.write(`${line}\n`),
    bug: bug === undefined ? undefined : BUGS[bug],
  });
  if (story.violation !== undefined) stream.write(`${failure(story)}\n`);
  stream.write(`trace ${story.trace}\n`);
  return story;
}

const options = optionsOrExit();
if (options.help) process.stdout.write(HELP);
else process.exitCode = await main(options);

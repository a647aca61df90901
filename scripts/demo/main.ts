/**
 * The main job on one machine, with real processes: two relays, three servers, six workers and two batches. The first server gets
 * more than its workers can do and borrows its neighbours'; one relay goes down for a while; one worker is killed. In the end the
 * relays' own counts are compared with what the stores say.
 *
 *   npm run demo                 (--json: the accounting as the last line; --keep: leave everything running)
 */
import { readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Batch, connect, type MutiraoClient } from '../../client/index.ts';
import { messageIdOf } from '../../mail/index.ts';
import { type Accounting, account, type StoredBatch } from './accounting.ts';
import { eventOf } from './events.ts';
import { allHome, observe, type ServerState } from './observation.ts';
import { type Crowd, recipientsOf } from './recipients.ts';
import { Scene } from './scene.ts';
import { View } from './view.ts';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    recipients: { type: 'string', default: '20000' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const HELP = `npm run demo -- [--json] [--keep] [--recipients N]

  --json            print the accounting as JSON in the last line
  --keep            leave servers, workers and sinks running in the end, until Ctrl-C
  --recipients N    size of the large batch (default 20000)
`;

const SENDER_DOMAIN = 'example.org';
const FRAME_MS = 250;
/** Share of the large batch after which a worker is killed. */
const KILL_AFTER = 0.3;
/** Longest time for everything, and for the last worker to come home after the batches; ms. */
const WITHIN_MS = 180_000;
const HOME_WITHIN_MS = 20_000;

const LARGE: Crowd = sizeOf(Number(flags.recipients));
const SMALL: Crowd = { total: 500, refused: 5, greylisted: 5 };

function sizeOf(total: number): Crowd {
  return { total, refused: Math.ceil(total / 400), greylisted: Math.ceil(total / 400) };
}

interface Running {
  readonly name: string;
  readonly crowd: Crowd;
  readonly server: number;
  readonly client: MutiraoClient;
  id: string;
  latest: Batch | undefined;
  watching: Promise<void>;
}

class Demo {
  readonly #view = new View(flags.json ? process.stderr : process.stdout);
  readonly #startedAt = performance.now();
  readonly #scene = new Scene({
    servers: 3,
    workersPerServer: 2,
    latencyMs: 25,
    downEveryS: 7,
    downForS: 2,
    onLog: (server, record) => {
      const event = eventOf(server, record);
      if (event !== undefined) this.#view.event(this.#seconds(), event);
    },
  });
  #clients: MutiraoClient[] = [];
  #states: (ServerState | undefined)[] = [];
  readonly #batches: Running[] = [];

  async run(): Promise<number> {
    const { servers, workers } = this.#scene;
    this.#view.line('Starting two sinks, three servers and six workers …');
    try {
      await this.#scene.start();
      for (const { process, url } of servers)
        this.#view.line(`  ${process.name}: ${url}, ${workers.length / servers.length} workers`);
      this.#clients = await Promise.all(servers.map(({ url }) => connect({ server: url })));
      const startedAt = performance.now();
      await this.#submit('large', LARGE, 0);
      await this.#submit('small', SMALL, 1);
      await this.#play();
      const seconds = (performance.now() - startedAt) / 1000;
      const returned = await this.#untilHome();
      const stored = await Promise.all(this.#batches.map((running) => this.#stored(running)));
      const loans = this.#loans();
      if (flags.keep) await this.#keep();
      await Promise.all(this.#clients.map((client) => client.close()));
      this.#view.line('Stopping, and counting what the sinks have …');
      await this.#scene.stop();
      const accounting = account(stored, this.#copies(), (batch, seq) =>
        messageIdOf(batch, seq, SENDER_DOMAIN),
      );
      return this.#tell(accounting, loans, returned, seconds);
    } catch (error) {
      await this.#scene.kill();
      throw error;
    }
  }

  async interrupted(): Promise<void> {
    await this.#scene.kill();
    rmSync(this.#scene.folder, { recursive: true, force: true });
  }

  #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  async #submit(name: string, crowd: Crowd, server: number): Promise<void> {
    const client = this.#clients[server] as MutiraoClient;
    const running: Running = {
      name,
      crowd,
      server,
      client,
      id: '',
      latest: undefined,
      watching: Promise.resolve(),
    };
    this.#batches.push(running);
    const submitted = await client.submit(
      {
        name: `demo ${name}`,
        from: `Mutirão demo <demo@${SENDER_DOMAIN}>`,
        subject: 'Hello {{name}} from {{city}}',
        text: 'Dear {{name}},\n\nyou have {{points}} points in {{city}}.\n',
        html: '<p>Dear <b>{{name}}</b>,</p><p>you have {{points}} points in {{city}}.</p>',
      },
      () => recipientsOf(crowd, `${name}.example.net`),
    );
    running.id = submitted.batch;
    running.watching = this.#watch(running);
  }

  async #watch(running: Running): Promise<void> {
    for await (const batch of running.client.watch(running.id)) running.latest = batch;
  }

  /** Shows what happens until both batches are over, and kills a worker on the way. */
  async #play(): Promise<void> {
    let isOver = false;
    const over = Promise.all(this.#batches.map((running) => running.watching)).then(() => {
      isOver = true;
    });
    let killed: Promise<void> | undefined;
    while (!isOver) {
      if (this.#seconds() * 1000 > WITHIN_MS)
        throw new Error(`the batches are not finished after ${WITHIN_MS / 1000} s`);
      await this.#look();
      const sent = this.#batches[0]?.latest?.counts.sent ?? 0;
      if (sent > LARGE.total * KILL_AFTER) killed ??= this.#killWorker();
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, FRAME_MS))]);
    }
    await over;
    await killed;
    await this.#look();
  }

  async #killWorker(): Promise<void> {
    const victim = this.#scene.workers.shift();
    if (victim === undefined) return;
    this.#view.event(
      this.#seconds(),
      `kill -9 of ${victim.process.name} (pid ${victim.process.pid}) of server ${victim.home + 1}`,
    );
    await victim.process.kill();
    const fresh = await this.#scene.startWorker(victim.home, victim.data);
    this.#view.event(this.#seconds(), `${fresh.name} takes its place, and its journal`);
  }

  async #look(): Promise<void> {
    this.#states = await Promise.all(this.#clients.map(observe));
    this.#view.frame({
      seconds: this.#seconds(),
      servers: this.#states,
      batches: this.#batches.map(({ name, latest }) => ({ name, batch: latest })),
    });
  }

  async #untilHome(): Promise<boolean> {
    const deadline = performance.now() + HOME_WITHIN_MS;
    do {
      await this.#look();
      if (allHome(this.#states)) break;
      await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
    } while (performance.now() < deadline);
    this.#view.end();
    return allHome(this.#states);
  }

  #loans(): { made: number; returned: number } {
    let made = 0;
    let returned = 0;
    for (const state of this.#states) {
      made += state?.mesh.totals.made ?? 0;
      returned += state?.mesh.totals.returned ?? 0;
    }
    return { made, returned };
  }

  async #stored({ client, id, crowd }: Running): Promise<StoredBatch> {
    const { counts } = await client.batch(id);
    const failedSeqs = new Set<number>();
    for await (const { seq } of client.list(id, 'failed')) failedSeqs.add(seq);
    const maybeSent = new Set<string>();
    for await (const { seq } of client.list(id, 'maybe-sent'))
      maybeSent.add(messageIdOf(id, seq, SENDER_DOMAIN));
    const { total: submitted, sent, failed, unknown } = counts;
    return { id, submitted, sent, failed, unknown, expectedFailed: crowd.refused, maybeSent, failedSeqs };
  }

  #copies(): Map<string, number> {
    const copies = new Map<string, number>();
    for (const { list } of this.#scene.sinks) {
      for (const line of readFileSync(list, 'utf8').split('\n')) {
        if (line === '') continue;
        const { messageId, count } = JSON.parse(line) as { messageId: string; count: number };
        copies.set(messageId, (copies.get(messageId) ?? 0) + count);
      }
    }
    return copies;
  }

  async #keep(): Promise<void> {
    this.#view.line(
      `\nEverything keeps running; logs and stores are in ${this.#scene.folder}. Ctrl-C ends it.`,
    );
    for (const { url } of this.#scene.servers) this.#view.line(`  npm run mutirao -- status --server ${url}`);
    await new Promise<void>((resolve) => process.once('SIGINT', resolve));
  }

  #tell(
    accounting: Accounting,
    loans: { made: number; returned: number },
    isHome: boolean,
    seconds: number,
  ): number {
    const { submitted, sent, failed, expectedFailed, lost, duplicated, explainedDuplicates, unaccounted } =
      accounting;
    const rows: [string, number, string][] = [
      ['submitted', submitted, ''],
      ['sent', sent, ''],
      ['failed', failed, `${expectedFailed} were made to fail`],
      ['lost', lost, ''],
      ['duplicated', duplicated, `${explainedDuplicates} of them marked as maybe sent before`],
      ['loans made', loans.made, ''],
      ['loans returned', loans.returned, isHome ? 'everyone is home' : 'somebody is still away'],
    ];
    this.#view.line('\nThe stores say, and the sinks confirm:');
    for (const [name, value, note] of rows)
      this.#view.line(`  ${name.padEnd(16)}${String(value).padStart(8)}  ${note}`);
    this.#view.line(`  ${seconds.toFixed(1)} s from the first submission to the last mail`);
    const isBalanced =
      lost === 0 &&
      unaccounted === 0 &&
      duplicated === explainedDuplicates &&
      failed === expectedFailed &&
      isHome &&
      loans.made === loans.returned;
    this.#view.line(isBalanced ? 'The accounting balances.' : 'THE ACCOUNTING DOES NOT BALANCE.');
    if (isBalanced) rmSync(this.#scene.folder, { recursive: true, force: true });
    else this.#view.line(`Logs and stores are in ${this.#scene.folder}.`);
    if (flags.json) {
      const report = {
        submitted,
        sent,
        failed,
        lost,
        duplicated,
        explainedDuplicates,
        loans: loans.made,
        returned: loans.returned,
        seconds: Math.round(seconds * 10) / 10,
      };
      process.stdout.write(`${JSON.stringify(report)}\n`);
    }
    return isBalanced ? 0 : 1;
  }
}

if (flags.help) process.stdout.write(HELP);
else {
  const demo = new Demo();
  if (!flags.keep) process.once('SIGINT', () => void demo.interrupted().then(() => process.exit(130)));
  process.exitCode = await demo.run();
}

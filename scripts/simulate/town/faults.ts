import type { Chance } from '../engine/chance.ts';
import { RANK } from '../engine/events.ts';
import type { FaultKind } from '../scenario.ts';
import type { RelayMood, VirtualRelay } from './relay.ts';
import type { ServerNode } from './server-node.ts';
import type { Town } from './town.ts';
import type { WorkerNode } from './worker-node.ts';

/** How long something stays broken, ms. */
const BROKEN_MS = { min: 100, max: 20_000 };
const MOODS: readonly RelayMood[] = [
  'refuses',
  'greets421',
  'putsOff',
  'policy',
  'cutsBefore',
  'cutsAfter',
  'silent',
];
/** How far a wall clock is set, and how far off it may be in all, ms. A restart takes it as it is, and with it the retries. */
const CLOCK_MS = { min: 1_000, max: 10 * 60_000 };

/** What the faults need beyond the town. */
export interface FaultTools {
  readonly chance: Chance;
  /** A fault happens; for the log. */
  readonly tell: (what: string) => void;
  /** Shows a used ticket again, if there is one. */
  readonly replayTicket: () => void;
}

/** Breaks things, one after the other, at chosen times, and mends each a while later. */
export class Faults {
  readonly #town: Town;
  readonly #tools: FaultTools;
  #isOver = false;
  count = 0;

  constructor(town: Town, tools: FaultTools) {
    this.#town = town;
    this.#tools = tools;
  }

  start(): void {
    if (this.#town.scenario.faults.length > 0) this.#next();
  }

  /** Everything is mended, and nothing breaks any more. */
  end(): void {
    this.#isOver = true;
    const { network, servers, workers, relays } = this.#town;
    network.mendAll();
    for (const relay of relays.values()) relay.mood = 'well';
    for (const server of servers) {
      server.isDiskFull = false;
      server.doom = undefined;
      // Servers whose clocks differ lend each other nothing: somebody sets them, and a restart takes them as they are.
      if (server.wallAhead !== 0) server.kill();
      server.wallAhead = 0;
      server.start();
    }
    for (const worker of workers) {
      worker.isDiskFull = false;
      worker.start();
    }
  }

  #next(): void {
    const { events, scenario } = this.#town;
    const wait = -Math.log(1 - this.#tools.chance.next()) * scenario.faultEveryMs;
    events.at(events.now + wait, RANK.line, 'fault', () => {
      if (this.#isOver) return;
      this.#strike(this.#tools.chance.pick(scenario.faults));
      this.#next();
    });
  }

  /** Undoes it later, unless all is mended before. */
  #later(run: () => void, max = BROKEN_MS.max): void {
    const { events } = this.#town;
    const wait = this.#tools.chance.spread(BROKEN_MS.min, max);
    events.at(events.now + wait, RANK.line, 'mend', () => {
      if (!this.#isOver) run();
    });
  }

  #strike(kind: FaultKind): void {
    this.count++;
    const { servers, workers, network } = this.#town;
    const { chance, tell } = this.#tools;
    const server = chance.pick(servers);
    const worker = workers.length === 0 ? undefined : chance.pick(workers);
    switch (kind) {
      case 'killWorker':
      case 'vanishWorker':
      case 'freezeWorker':
      case 'stopWorker':
        if (worker !== undefined) this.#strikeWorker(kind, worker);
        return;
      case 'killServer':
      case 'vanishServer':
      case 'freezeServer':
      case 'stopServer':
        this.#strikeServer(kind, server);
        return;
      case 'partition':
        this.#cut(server.host, chance.pick(servers).host, true);
        return;
      case 'oneWayCut':
        this.#cutOneWay(server, worker);
        return;
      case 'cutWorker':
        if (worker !== undefined) {
          for (const one of servers) this.#cut(worker.host, one.host, true);
          worker.disturbedAt = this.#town.events.now + BROKEN_MS.max;
        }
        return;
      case 'reset':
        tell(`reset ${worker?.host} ${server.host}`);
        if (worker !== undefined) network.reset(worker.host, chance.pick([server, worker.home]).host);
        network.reset(server.host, chance.pick(servers).host);
        return;
      case 'relayMood':
        this.#strikeRelay(chance.pick([...this.#town.relays.values()]));
        return;
      case 'clockJump': {
        const { min, max } = CLOCK_MS;
        const ahead = server.wallAhead + chance.pick([-1, 1]) * chance.spread(min, max);
        server.wallAhead = Math.min(max, Math.max(-max, ahead));
        tell(`clock of ${server.name} ${Math.round(server.wallAhead)} ms ahead`);
        return;
      }
      case 'diskFull':
        this.#fillDisk(chance.hits(0.7) ? server : (worker ?? server));
        return;
      case 'clientAction':
        this.#act();
        return;
      case 'replayTicket':
        this.#tools.replayTicket();
        return;
      default:
        kind satisfies never;
    }
  }

  #fillDisk(whose: ServerNode | WorkerNode): void {
    this.#tools.tell(`disk full ${whose.name}`);
    whose.isDiskFull = true;
    this.#later(() => {
      whose.isDiskFull = false;
    });
  }

  #strikeWorker(kind: FaultKind, worker: WorkerNode): void {
    const { chance, tell } = this.#tools;
    tell(`${kind} ${worker.name}`);
    if (kind === 'freezeWorker') {
      const lease = worker.home.settings.lease;
      worker.freeze(chance.spread(100, 3 * lease));
      return;
    }
    if (kind === 'killWorker') worker.kill();
    else if (kind === 'vanishWorker') worker.vanish();
    else worker.stop();
    this.#later(() => worker.start());
    if (kind === 'stopWorker') this.#later(() => worker.stop());
  }

  #strikeServer(kind: FaultKind, server: ServerNode): void {
    const { chance, tell } = this.#tools;
    tell(`${kind} ${server.name}`);
    if (kind === 'freezeServer') {
      server.freeze(chance.spread(100, 30_000));
      return;
    }
    if (kind === 'killServer') this.#kill(server);
    else if (kind === 'vanishServer') server.vanish();
    else server.stop();
    this.#later(() => server.start());
  }

  /** At once, or at the next moment at which something is half done. */
  #kill(server: ServerNode): void {
    const { chance } = this.#tools;
    if (chance.hits(0.5)) server.kill();
    else server.doom = chance.pick(['before a commit', 'before the answers'] as const);
  }

  #strikeRelay(relay: VirtualRelay): void {
    relay.mood = this.#tools.chance.pick(MOODS);
    this.#tools.tell(`${relay.host} ${relay.mood}`);
    this.#later(() => {
      relay.mood = 'well';
    });
  }

  #cutOneWay(server: ServerNode, worker: WorkerNode | undefined): void {
    const { chance } = this.#tools;
    const ends = [
      server.host,
      worker === undefined || chance.hits(0.5) ? chance.pick(this.#town.servers).host : worker.host,
    ];
    if (chance.hits(0.5)) ends.reverse();
    this.#cut(ends[0] as string, ends[1] as string, false);
  }

  #cut(a: string, b: string, bothWays: boolean): void {
    if (a === b) return;
    const { network } = this.#town;
    this.#tools.tell(`cut ${a} ${bothWays ? '<>' : '>'} ${b}`);
    network.cut(a, b);
    if (bothWays) network.cut(b, a);
    this.#later(() => {
      network.mend(a, b);
      if (bothWays) network.mend(b, a);
    });
  }

  #act(): void {
    const { chance, tell } = this.#tools;
    const { servers, client } = this.#town;
    const server = chance.pick(servers);
    const batches = [...server.disk.batches.keys()];
    if (batches.length === 0) return;
    const BATCH_UUID = chance.pick(batches);
    const CLIENT = chance.hits(0.06)
      ? 'CANCEL'
      : chance.pick(['PAUSE', 'PAUSE', 'RETRY', 'RESUME', 'RESOLVE']);
    const decision = CLIENT === 'RESOLVE' ? { DECISION: chance.pick(['SENT', 'RETRY']) } : {};
    tell(`${CLIENT} at ${server.name}`);
    client.act(server, { CLIENT, BATCH_UUID, ...decision });
    if (CLIENT === 'PAUSE') this.#later(() => client.act(server, { CLIENT: 'RESUME', BATCH_UUID }));
  }
}

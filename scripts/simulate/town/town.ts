import { parseMessageId } from '../../../mail/index.ts';
import { Chance } from '../engine/chance.ts';
import { Events } from '../engine/events.ts';
import type { Process } from '../engine/process.ts';
import { Network } from '../network/network.ts';
import type { Scenario } from '../scenario.ts';
import { Disk } from '../store/disk.ts';
import { VirtualStore } from '../store/virtual-store.ts';
import { ClientNode, type Receipt } from './client-node.ts';
import { VirtualRelay } from './relay.ts';
import { openVirtualSession } from './relay-session.ts';
import { ServerNode, type ServerOptions, type Surround } from './server-node.ts';
import { WorkerNode } from './worker-node.ts';

/** One mail of a batch. */
export interface Mail {
  readonly batch: string;
  readonly seq: number;
}

/** Who is told of what happens in a town. */
export interface Witness {
  /** A worker's process begins to send a mail. */
  begun(mail: Mail, worker: WorkerNode, process: Process): void;
  /** A relay has a mail. */
  accepted(mail: Mail, relay: VirtualRelay): void;
  receipt(receipt: Receipt): void;
  said(who: string, level: string, fields: object, message: string): void;
}

/** What a deliberate mistake changes; see bugs.ts. */
export interface Sabotage {
  readonly openStore?: ServerOptions['openStore'];
  readonly settings?: Partial<ServerNode['settings']>;
}

/** All that takes part in a story. */
export class Town {
  readonly scenario: Scenario;
  readonly events: Events;
  readonly network: Network;
  readonly servers: readonly ServerNode[];
  readonly workers: readonly WorkerNode[];
  readonly relays = new Map<string, VirtualRelay>();
  readonly client: ClientNode;
  /** For those who are not of the town. */
  readonly ghostChance: Chance;

  constructor(scenario: Scenario, witness: Witness, isDebugged: boolean, sabotage: Sabotage = {}) {
    this.scenario = scenario;
    const chance = new Chance(scenario.seed, 'town');
    this.ghostChance = chance.branch('ghost');
    this.events = new Events(chance.branch('ties'));
    this.network = new Network(this.events, chance.branch('network'));
    this.network.delayMs = scenario.delayMs;
    const around: Surround = {
      events: this.events,
      network: this.network,
      chance,
      isDebugged,
      say: (...line) => witness.said(...line),
    };
    for (const { relays } of scenario.servers) {
      for (const { settings, habits } of relays) {
        const relay: VirtualRelay = new VirtualRelay(
          settings.host,
          habits,
          this.events,
          chance.branch(settings.host),
          (messageId) => witness.accepted(mailOf(messageId), relay),
        );
        this.relays.set(settings.host, relay);
      }
    }
    this.servers = scenario.servers.map(
      ({ name, uuid, settings }, i) =>
        new ServerNode(
          {
            name,
            uuid,
            endpoint: { IP: `10.0.0.${i + 1}`, PORT: 8765 },
            settings: { ...settings, ...sabotage.settings },
            diskHabits: { commitMs: scenario.commitMs, answerMs: { min: 0.01, max: 1 } },
            openStore: sabotage.openStore ?? ((disk, pace) => new VirtualStore(disk, pace)),
          },
          new Disk(),
          around,
        ),
    );
    this.workers = scenario.servers.flatMap((plan, i) =>
      Array.from({ length: plan.workers }, (_, j) => {
        const home = this.servers[i] as ServerNode;
        const others = this.servers.filter((server) => server !== home).map(({ url }) => url);
        const worker: WorkerNode = new WorkerNode(
          {
            name: `worker-${i}-${j}`,
            uuid: `w-${i}-${j}`,
            home,
            fallbacks: scenario.fallbacks ? others : [],
            connections: scenario.worker.connections,
            inFlight: scenario.worker.inFlight,
            drainMs: 5_000,
            journal: scenario.journal,
            openSession: (relay, { process, gate }, signal) => {
              const target = this.relays.get(relay.HOST);
              if (target === undefined) throw new Error(`no relay ${relay.HOST}`);
              const onBegin = (messageId: string): void => witness.begun(mailOf(messageId), worker, process);
              return openVirtualSession(
                target,
                process,
                { depth: scenario.worker.depth, gate, onBegin },
                signal,
              );
            },
          },
          around,
        );
        return worker;
      }),
    );
    this.client = new ClientNode(around, (receipt) => witness.receipt(receipt));
  }

  /** The server that has committed a batch. */
  serverOf(batch: string): ServerNode | undefined {
    return this.servers.find(({ disk }) => disk.batches.has(batch));
  }
}

function mailOf(messageId: string): Mail {
  const parts = parseMessageId(messageId);
  if (parts === undefined) throw new Error(`no Message-ID of ours: ${messageId}`);
  return parts;
}

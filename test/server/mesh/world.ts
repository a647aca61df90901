import { v7 as uuidv7 } from 'uuid';
import type { Endpoint, PeerMessage, Redirect, WorkerAlive } from '../../../protocol/index.ts';
import type { PoolFigures } from '../../../server/mesh/load.ts';
import { Mesh } from '../../../server/mesh/mesh.ts';
import type {
  Clock,
  GuestWorker,
  HomeWorker,
  MeshLogger,
  MeshPool,
  PeerConnection,
  PeerTransport,
  ReturnMessage,
} from '../../../server/mesh/ports.ts';
import { type MeshSettings, meshDefaults } from '../../../server/mesh/settings.ts';
import { MemoryLoanStore } from './memory-loan-store.ts';

/** How servers reach each other in a world. */
export interface Network {
  /** Makes an address answer with these conversations. @returns how to close it. */
  listen(
    address: Endpoint,
    accept: (connection: PeerConnection, first: PeerMessage) => void,
  ): Promise<() => Promise<void>>;
  freeAddress(): Promise<Endpoint>;
  transport(token: string | undefined, from: Endpoint): PeerTransport;
}

export interface LogLine {
  readonly server: string;
  readonly level: 'debug' | 'info' | 'warn';
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

const TRAVEL_MS = 5;
const RECONNECT_MS = 300;
const TASK_SIZE = 100;

/** Servers with real meshes between them; their workers, and the work, are pretended. */
export class World {
  readonly clock: Clock;
  readonly network: Network;
  readonly servers: Site[] = [];
  readonly workers: FakeWorker[] = [];
  readonly log: LogLine[] = [];
  readonly #random: () => number;

  constructor(clock: Clock, network: Network, random: () => number = Math.random) {
    this.clock = clock;
    this.network = network;
    this.#random = random;
  }

  async addServer(
    options: {
      peers?: readonly Endpoint[];
      workers?: number;
      settings?: Partial<MeshSettings>;
      token?: string;
      uuid?: string;
      address?: Endpoint;
    } = {},
  ): Promise<Site> {
    const address = options.address ?? (await this.network.freeAddress());
    const settings = { ...meshDefaults(), ...options.settings, peers: options.peers ?? [] };
    const site = new Site(
      this,
      { uuid: options.uuid ?? uuidv7(), address, settings, token: options.token },
      this.#random,
    );
    this.servers.push(site);
    await site.start();
    for (let i = 0; i < (options.workers ?? 0); i += 1) this.addWorker(site);
    return site;
  }

  addWorker(home: Site): FakeWorker {
    const worker = new FakeWorker(this, home);
    this.workers.push(worker);
    worker.connect(home);
    return worker;
  }

  serverAt(endpoint: Endpoint): Site | undefined {
    return this.servers.find((site) => site.isUp && site.address.PORT === endpoint.PORT);
  }

  said(message: string, server?: Site): readonly LogLine[] {
    return this.log.filter(
      (line) => line.message === message && (server === undefined || line.server === server.uuid),
    );
  }

  async stop(): Promise<void> {
    for (const worker of this.workers) worker.kill();
    for (const site of this.servers) await site.crash();
  }
}

/** A REDIRECT, and how things stood when it was sent. */
interface RedirectSeen {
  readonly at: number;
  readonly worker: string;
  readonly message: Redirect;
  /** Own workers left at home. */
  readonly homeAfter: number;
  readonly guests: number;
  readonly saturation: string;
}

interface SiteOptions {
  readonly uuid: string;
  readonly address: Endpoint;
  readonly settings: MeshSettings;
  readonly token: string | undefined;
}

/** A server: a real mesh, and a pretended gateway and dispatch. */
export class Site implements MeshPool {
  readonly uuid: string;
  readonly address: Endpoint;
  readonly settings: MeshSettings;
  readonly store = new MemoryLoanStore();
  readonly connected = new Map<string, FakeWorker>();
  readonly redirects: RedirectSeen[] = [];
  readonly refusals: string[] = [];
  backlog = 0;
  settled = 0;
  isUp = false;
  readonly #world: World;
  readonly #token: string | undefined;
  readonly #random: () => number;
  #mesh: Mesh | undefined;
  #close: () => Promise<void> = async () => undefined;
  #settledAt: { readonly at: number; readonly recipients: number }[] = [];

  constructor(world: World, options: SiteOptions, random: () => number) {
    this.#world = world;
    this.uuid = options.uuid;
    this.address = options.address;
    this.settings = options.settings;
    this.#token = options.token;
    this.#random = random;
  }

  get mesh(): Mesh {
    if (this.#mesh === undefined) throw new Error('the server is down');
    return this.#mesh;
  }

  async start(): Promise<void> {
    const mesh = new Mesh({
      identity: { uuid: this.uuid, address: this.address },
      settings: this.settings,
      tokens: this.#token === undefined ? {} : { mesh: this.#token },
      store: this.store,
      pool: this,
      logger: this.#logger(),
      clock: this.#world.clock,
      random: this.#random,
      transport: this.#world.network.transport(this.#token, this.address),
    });
    this.#mesh = mesh;
    this.isUp = true;
    this.#close = await this.#world.network.listen(this.address, (connection, first) =>
      mesh.acceptPeer(connection, first),
    );
    await mesh.start();
  }

  /** As `kill -9`: nothing is said to anybody; what was leased is pending again. */
  async crash(): Promise<void> {
    if (!this.isUp) return;
    this.isUp = false;
    const mesh = this.mesh;
    this.#mesh = undefined;
    for (const worker of [...this.connected.values()]) worker.connectionLost();
    this.connected.clear();
    await this.#close();
    await mesh.stop();
  }

  submit(recipients: number): void {
    this.backlog += recipients;
    this.feed();
    if (this.isUp) this.mesh.workChanged();
  }

  /** Gives work to whoever is idle. */
  feed(): void {
    if (!this.isUp) return;
    for (const worker of this.connected.values()) {
      if (this.backlog === 0) return;
      if (worker.isIdle) {
        const size = Math.min(TASK_SIZE, this.backlog);
        this.backlog -= size;
        worker.take(size);
      }
    }
  }

  finished(recipients: number): void {
    this.settled += recipients;
    const now = this.#world.clock.monotonic();
    this.#settledAt.push({ at: now, recipients });
    this.feed();
    if (this.isUp) this.mesh.workChanged();
  }

  figures(): PoolFigures {
    const now = this.#world.clock.monotonic();
    this.#settledAt = this.#settledAt.filter(({ at }) => now - at < 2_000);
    const workers = [...this.connected.values()];
    return {
      ready: this.backlog,
      sending: workers.reduce((sum, worker) => sum + worker.holds, 0),
      workers: workers.length,
      freeSlots: workers.filter((worker) => worker.isIdle).length,
      rate: this.#settledAt.reduce((sum, { recipients }) => sum + recipients, 0) / 2,
    };
  }

  homeWorkers(): readonly HomeWorker[] {
    return [...this.connected.values()]
      .filter((worker) => worker.home === this)
      .map((worker) => ({
        uuid: worker.uuid,
        idle: worker.isIdle,
        travels: true,
        isLeaving: worker.isLeaving,
      }));
  }

  guestWorkers(): readonly GuestWorker[] {
    return [...this.connected.values()]
      .filter((worker) => worker.home !== this)
      .map((worker) => ({ uuid: worker.uuid, idle: worker.isIdle }));
  }

  redirect(uuid: string, message: Redirect): boolean {
    const worker = this.connected.get(uuid);
    if (worker === undefined || !worker.isIdle) return false;
    const stay = [...this.connected.values()].filter((other) => other.home === this && !other.isLeaving);
    this.redirects.push({
      at: this.#world.clock.monotonic(),
      worker: uuid,
      message,
      homeAfter: stay.length - 1,
      guests: this.guestWorkers().length,
      saturation: this.mesh.snapshot().saturation,
    });
    worker.redirected(message);
    return true;
  }

  returnHome(uuid: string, _message: ReturnMessage): boolean {
    const worker = this.connected.get(uuid);
    worker?.returned();
    return worker !== undefined;
  }

  #logger(): MeshLogger {
    const at = (level: LogLine['level']) => (fields: object, message: string) => {
      this.#world.log.push({ server: this.uuid, level, message, fields: { ...fields } });
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn') };
  }
}

/** A worker: it goes where it is sent and home when that fails. */
export class FakeWorker {
  readonly uuid = uuidv7();
  readonly home: Site;
  /** Where it is connected. */
  at: Site | undefined;
  holds = 0;
  isDead = false;
  isLeaving = false;
  /** Recipients per second. */
  rate = 200;
  /** Time from leaving one server to knocking at the next. */
  travelMs = TRAVEL_MS;
  readonly visited: string[] = [];
  readonly #world: World;
  #redirect: Redirect | undefined;
  #cancel: () => void = () => undefined;

  constructor(world: World, home: Site) {
    this.#world = world;
    this.home = home;
  }

  get isIdle(): boolean {
    return this.holds === 0 && !this.isLeaving;
  }

  connect(site: Site): void {
    if (this.isDead) return;
    if (!site.isUp) {
      this.#later(RECONNECT_MS, () => this.#goHome());
      return;
    }
    if (site !== this.home) {
      const alive: WorkerAlive = {
        WORKER: 'ALIVE',
        WORKER_UUID: this.uuid,
        SERVER_UUID: this.home.uuid,
        ...(this.#redirect === undefined ? {} : { TICKET: this.#redirect.TICKET }),
      };
      const admission = site.mesh.admitBorrowed(alive);
      if (!admission.ok) {
        site.refusals.push(admission.reason);
        this.#later(TRAVEL_MS, () => this.#goHome());
        return;
      }
    }
    this.at = site;
    this.isLeaving = false;
    this.visited.push(site.uuid);
    site.connected.set(this.uuid, this);
    if (site === this.home) {
      this.#redirect = undefined;
      site.mesh.workerArrived(this.uuid);
    } else site.mesh.workChanged();
    site.feed();
  }

  take(recipients: number): void {
    this.holds = recipients;
    this.#later((recipients / this.rate) * 1_000, () => {
      this.holds = 0;
      const site = this.at;
      if (this.isLeaving) this.#leave(() => this.#goHome());
      site?.finished(recipients);
    });
  }

  redirected(message: Redirect): void {
    this.isLeaving = true;
    this.#redirect = message;
    this.#later(TRAVEL_MS, () => {
      this.#leave(() => {
        const target = this.#world.serverAt(message.TARGET_MASTER);
        if (target === undefined) this.#goHome();
        else this.connect(target);
      });
    });
  }

  returned(): void {
    this.isLeaving = true;
    if (this.holds === 0) this.#later(TRAVEL_MS, () => this.#leave(() => this.#goHome()));
  }

  /** What it held is pending again; it comes home. */
  connectionLost(): void {
    this.#drop();
    this.#later(TRAVEL_MS, () => this.#goHome());
  }

  /** Its connection breaks; it tries the same server again. */
  reconnect(): void {
    const site = this.at;
    if (site === undefined || site.connected.get(this.uuid) !== this) return;
    const holds = this.holds > 0;
    this.#drop();
    site.connected.delete(this.uuid);
    site.mesh.workerLeft(this.uuid, holds);
    this.#later(TRAVEL_MS, () => this.connect(site));
  }

  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    const site = this.at;
    this.#drop();
    this.#cancel();
    if (site?.connected.delete(this.uuid) && site.isUp) site.mesh.workerLeft(this.uuid, false);
  }

  #drop(): void {
    this.#cancel();
    if (this.at !== undefined) this.at.backlog += this.holds;
    this.holds = 0;
    this.at = undefined;
    this.isLeaving = false;
  }

  #leave(then: () => void): void {
    const site = this.at;
    this.at = undefined;
    if (site?.connected.delete(this.uuid) && site.isUp) site.mesh.workerLeft(this.uuid, false);
    this.#later(this.travelMs, then);
  }

  #goHome(): void {
    this.#redirect = undefined;
    this.connect(this.home);
  }

  #later(ms: number, callback: () => void): void {
    this.#cancel();
    this.#cancel = this.#world.clock.setTimer(callback, ms);
  }
}

import { v7 as uuidv7 } from 'uuid';
import { WarnLimiter } from '../logging/index.ts';
import { endpointUrl, type Failover, type ServerToWorker } from '../protocol/index.ts';
import { BACKOFF_BASE_MS, BACKOFF_CAP_MS } from './link/backoff.ts';
import { CROSSING_MS, DEPART_WITHIN_MS, Journey, type Traveller } from './link/journey.ts';
import { PING_EVERY_MS, SILENCE_MS } from './link/liveness.ts';
import { Origins } from './link/origins.ts';
import { canonicalUrl, PATIENCE_MS } from './link/route.ts';
import type { OpenSocket } from './link/server-link.ts';
import type { Logger } from './logger.ts';
import { Presence } from './presence.ts';
import { openSession } from './smtp/open-session.ts';
import { DEFAULT_TIMES, type SmtpTimes } from './smtp/times.ts';
import { every, processSurroundings, type Surroundings } from './surroundings.ts';
import { type CompileMessage, NO_JOURNAL, type OpenSession, type WorkJournal } from './tasks/contract.ts';
import { KEEP_RESULTS_MS, REPEAT_REPORT_MS } from './tasks/report-desk.ts';
import { TaskRunner } from './tasks/runner.ts';

/** How often leases, idle connections and old results are looked after, ms. */
const SWEEP_MS = 1_000;
/** Time for the last facts to be acknowledged when the worker is told to stop at once, ms. */
const LAST_WORDS_MS = 1_000;
/** Time to connect to a server, ms. */
const CONNECT_WITHIN_MS = 10_000;
/** An SMTP connection without work is closed after this, ms. */
const IDLE_SESSION_MS = 10_000;

/**
 * Mails begun and not acknowledged, per connection: two are on the line, the others wait for the commit of their results, which
 * takes as long as several mails do, and ten on a busy disk.
 */
const IN_FLIGHT_PER_CONNECTION = 20;

export interface WorkerOptions {
  /** Home server first, then its fallbacks. */
  readonly servers: readonly string[];
  readonly logger: Logger;
  readonly compile: CompileMessage;
  readonly token?: string;
  /** PEM of the authorities for wss. */
  readonly ca?: string;
  /** SMTP connections per relay. */
  readonly connections?: number;
  /** Most transactions begun and not acknowledged; absent: twenty times the connections. */
  readonly inFlight?: number;
  /** Most transactions in flight on one connection to a relay that offers CHUNKING; 1: BDAT is not used. Absent: 4. */
  readonly transactionsPerConnection?: number;
  readonly heloName?: string;
  /** How long `stop()` waits for mails in flight, ms. */
  readonly drainMs?: number;
  readonly uuid?: string;
  /** What it writes down for the process after it, and knows of the one before; absent: nothing. */
  readonly journal?: WorkJournal;
  /** Replaces the SMTP session. */
  readonly openSession?: OpenSession;
  /** Replaces the sockets to servers. */
  readonly openSocket?: OpenSocket;
  /** Replaces the time and chance of this process. */
  readonly surroundings?: Surroundings;
  /** Times that tests shorten. */
  readonly times?: Partial<WorkerTimes>;
  readonly smtpTimes?: Partial<SmtpTimes>;
}

export interface WorkerTimes {
  readonly connectWithinMs: number;
  readonly patienceMs: number;
  readonly departWithinMs: number;
  readonly lookHomeEveryMs: number;
  readonly keepResultsMs: number;
  readonly repeatReportMs: number;
  readonly pingEveryMs: number;
  readonly silenceMs: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  readonly idleSessionMs: number;
}

export interface WorkerSnapshot {
  readonly uuid: string;
  readonly state: string;
  readonly server: string;
  readonly connected: boolean;
  readonly tasks: number;
  readonly inFlight: number;
  readonly sent: number;
  readonly failed: number;
  readonly relays: readonly object[];
}

export interface RunningWorker {
  readonly uuid: string;
  /**
   * Drains: takes nothing new, finishes what is in flight, hands back the rest, waits until all of it is acknowledged, at most
   * `drainMs`. Called again while that runs, it ends at once: what is in flight is reported as far as it got.
   */
  stop(): Promise<void>;
  snapshot(): WorkerSnapshot;
}

/** Starts a worker: it connects, works and reconnects until it is stopped. */
export function startWorker(options: WorkerOptions): RunningWorker {
  const worker = new Worker(options);
  worker.start();
  return worker;
}

/** Puts the parts together: journey (where to), presence (ALIVE), runner (tasks). Holds no rules of its own. */
class Worker implements RunningWorker, Traveller {
  readonly uuid: string;
  readonly #drainMs: number;
  readonly #around: Surroundings;
  readonly #logger: Logger;
  readonly #warn: WarnLimiter;
  readonly #journey: Journey;
  readonly #presence: Presence;
  readonly #runner: TaskRunner;
  readonly #recovered: number;
  readonly #origins = new Origins();
  #cancelSweeps: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
  #isDraining = false;
  #isInHurry = false;
  #hurry: (() => void) | undefined;
  #whenClear: (() => void) | undefined;

  constructor(options: WorkerOptions) {
    const around = options.surroundings ?? processSurroundings;
    this.#around = around;
    this.uuid = options.uuid ?? uuidv7();
    this.#drainMs = options.drainMs ?? 25_000;
    this.#logger = options.logger;
    this.#warn = new WarnLimiter(options.logger, () => around.now());
    const connections = options.connections ?? 20;
    const inFlight = options.inFlight ?? IN_FLIGHT_PER_CONNECTION * connections;
    const times = options.times ?? {};
    const smtpTimes: SmtpTimes = { ...DEFAULT_TIMES, ...options.smtpTimes };
    const depth = options.transactionsPerConnection;
    const journal = options.journal ?? NO_JOURNAL;
    this.#recovered = journal.known.length;
    const session = { times: smtpTimes, heloName: options.heloName, depth, gate: journal };
    this.#journey = new Journey(
      {
        servers: options.servers,
        token: options.token,
        ca: options.ca,
        openSocket: options.openSocket,
        connectWithinMs: times.connectWithinMs ?? CONNECT_WITHIN_MS,
        patienceMs: times.patienceMs ?? PATIENCE_MS,
        departWithinMs: times.departWithinMs ?? DEPART_WITHIN_MS,
        lookHomeEveryMs: times.lookHomeEveryMs,
        liveness: {
          pingEveryMs: times.pingEveryMs ?? PING_EVERY_MS,
          silenceMs: times.silenceMs ?? SILENCE_MS,
        },
        backoff: {
          baseMs: times.backoffBaseMs ?? BACKOFF_BASE_MS,
          capMs: times.backoffCapMs ?? BACKOFF_CAP_MS,
        },
      },
      this,
      options.logger,
      around,
    );
    this.#presence = new Presence(
      { worker: this.uuid, connections, inFlight },
      {
        status: () => this.#status(),
        papers: () => this.#journey.papers,
        send: (alive) => this.#journey.send(this.#journey.url, alive),
      },
      around,
    );
    this.#runner = new TaskRunner(
      {
        worker: this.uuid,
        connections,
        inFlight,
        keepResultsMs: times.keepResultsMs ?? KEEP_RESULTS_MS,
        repeatReportMs: times.repeatReportMs ?? REPEAT_REPORT_MS,
        pool: { idleMs: times.idleSessionMs ?? IDLE_SESSION_MS },
        journal,
      },
      options.compile,
      options.openSession ?? ((relay, signal) => openSession(relay, session, signal)),
      {
        report: (origin, report) => origin === this.#here && this.#journey.send(this.#journey.url, report),
        unanswered: (origin) => {
          if (origin === this.#here && this.#journey.isUp)
            this.#journey.reconnect('reports are not answered');
        },
        changed: () => this.#changed(),
        declined: () => this.#presence.say(),
      },
      options.logger,
      around,
    );
  }

  start(): void {
    this.#logger.info({ worker: this.uuid, server: this.#journey.url }, 'worker starts');
    if (this.#recovered > 0)
      this.#logger.info(
        { tasks: this.#recovered },
        'the process before this one left tasks, they are reported',
      );
    this.#cancelSweeps = every(this.#around, SWEEP_MS, () => this.#runner.sweep());
    this.#journey.start();
  }

  stop(): Promise<void> {
    if (this.#stopping === undefined) this.#stopping = this.#drain();
    else if (!this.#isInHurry) {
      this.#isInHurry = true;
      this.#logger.info({}, 'worker hurries, what is in flight is told as far as it got');
      this.#hurry?.();
    }
    return this.#stopping;
  }

  snapshot(): WorkerSnapshot {
    const { state, url, isUp } = this.#journey;
    return { uuid: this.uuid, state, server: url, connected: isUp, ...this.#runner.snapshot() };
  }

  arrived(url: string): void {
    const origin = this.#origins.of(url);
    this.#runner.worksFor(origin);
    this.#presence.arrived();
    this.#runner.present(origin);
  }

  lost(url: string): void {
    this.#presence.lost();
    this.#runner.orphaned(this.#origins.of(url));
  }

  pack(url: string): void {
    this.#runner.handBackAll('the worker leaves', this.#origins.of(url));
    this.#presence.say();
  }

  isPacked(url: string): boolean {
    return this.#runner.isClear(this.#origins.of(url));
  }

  message(url: string, message: ServerToWorker): void {
    const origin = this.#origins.of(url);
    if ('STATUS' in message) {
      if (message.STATUS === 'ACK') this.#runner.acknowledged(origin, message.TASK_UUID);
      else {
        const { CODE, MESSAGE } = message.ERROR;
        this.#warn.warn(CODE, { code: CODE, said: MESSAGE.slice(0, 300) }, 'the server answers NACK');
        this.#runner.refused(origin, message.ERROR.RETRY === true, message.TASK_UUID);
      }
      return;
    }
    switch (message.TASK) {
      case 'SEND':
        this.#presence.tookTask(this.#runner.accept(origin, message, this.#journey.provenAt));
        // It crossed the word that nothing is wanted any more.
        if (!this.#isWelcoming) this.#runner.handBack(origin, [message.TASK_UUID], 'the worker leaves');
        return;
      case 'NO_TASK':
        this.#presence.noTask();
        return;
      case 'LEASES':
        this.#runner.renewed(origin, message.RENEWED, this.#presence.answered(), message.LEASE_S * 1000);
        this.#runner.lost(origin, message.LOST);
        return;
      case 'HAND_BACK':
        this.#runner.handBack(origin, message.TASKS, 'asked back by the server');
        return;
      case 'FAILOVER':
        this.#shareStore(url, message);
        return;
      case 'REDIRECT':
      case 'RETURN':
        return;
      default:
        message satisfies never;
    }
  }

  /** The name under which the tasks of the present server are kept. */
  get #here(): string {
    return this.#origins.of(this.#journey.url);
  }

  /** What the others of that store gave can be reported here. */
  #shareStore(url: string, { STORE, FAILOVER_LIST, LEAVING }: Failover): void {
    const before = this.#origins.of(url);
    const others = FAILOVER_LIST.map((endpoint) => canonicalUrl(endpointUrl(endpoint)));
    this.#origins.share(STORE, [...others, url]);
    this.#journey.shareStore(others, LEAVING === true);
    const origin = this.#origins.of(url);
    if (origin === before || this.#runner.isClear(origin)) return;
    this.#presence.say();
    this.#runner.present(origin);
  }

  get #isWelcoming(): boolean {
    return !this.#isDraining && this.#journey.isStaying;
  }

  #status() {
    const origin = this.#here;
    const { tasks, renewEveryMs } = this.#runner.leases(origin);
    return { openSlots: this.#isWelcoming ? this.#runner.openSlots(origin) : 0, leases: tasks, renewEveryMs };
  }

  #changed(): void {
    this.#presence.changed();
    this.#journey.settled();
    if (this.#runner.isClear()) this.#whenClear?.();
  }

  async #drain(): Promise<void> {
    this.#logger.info({ ...this.#runner.snapshot() }, 'worker stops');
    this.#isDraining = true;
    this.#presence.leave();
    this.#runner.handBackAll('the worker stops');
    const crossing = Math.min(CROSSING_MS, this.#drainMs);
    if (this.#journey.isUp) await this.#pause(crossing);
    const isClear = await this.#untilClear(this.#isInHurry ? 0 : this.#drainMs - crossing);
    if (!isClear) {
      if (!this.#isInHurry) {
        const { tasks } = this.#runner.snapshot();
        this.#logger.warn({ tasks }, 'the time to stop is over, what is in flight is told as far as it got');
      }
      await this.#runner.close('now');
      if (this.#journey.isUp) await this.#untilClear(LAST_WORDS_MS);
    } else await this.#runner.close('orderly');
    this.#cancelSweeps?.();
    this.#presence.stop();
    await this.#journey.stop();
    this.#logger.info({ unreported: this.#runner.snapshot().tasks }, 'worker stopped');
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#around.setTimer(resolve, ms));
  }

  /** True: nothing is held any more. False: the time is over, or somebody is in a hurry. */
  #untilClear(withinMs: number): Promise<boolean> {
    if (this.#runner.isClear()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isClear: boolean): void => {
        cancel();
        this.#whenClear = undefined;
        this.#hurry = undefined;
        resolve(isClear);
      };
      const cancel = this.#around.setTimer(() => end(false), withinMs);
      this.#whenClear = () => end(true);
      this.#hurry = () => end(false);
    });
  }
}

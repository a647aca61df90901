import type { RelaySettings } from '../../config/index.ts';
import type { Logger } from '../../logging/index.ts';
import {
  afterFault,
  afterSuccess,
  afterTime,
  type BreakerSettings,
  type BreakerState,
  CLOSED,
  opened,
  probeReturned,
  probeSent,
} from './breaker.ts';
import { chooseRelay, type RelayCandidate, type RelayChoice } from './choose.ts';
import { afterRefusals, NO_STREAK, type PolicyStreak, type Refused } from './policy-streak.ts';

/** What the book keeps of one relay. */
interface Entry {
  readonly settings: RelaySettings;
  breaker: BreakerState;
  streak: PolicyStreak;
  /** Its breaker opened because it refuses our mail for its policy; until it closes. */
  refusesUs: boolean;
  /** Recipients under lease. */
  leased: number;
  /** Connections granted to each worker with tasks for this relay, and how many tasks it has. */
  readonly grants: Map<string, { connections: number; tasks: number }>;
  probe: string | undefined;
  sent: number;
  faults: number;
  lastFault: string | undefined;
}

export interface RelayBookSettings extends BreakerSettings {
  readonly policyThreshold: number;
}

/** What one report says of a relay. */
export interface RelayReport {
  readonly task: string;
  /** Recipients that got an answer which shows the relay alive: accepted, or refused as recipients. */
  readonly alive: number;
  readonly sent: number;
  /** Relay faults. */
  readonly faults: number;
  /** The reasons of those that no sign of life came behind. */
  readonly faultsInRow: readonly string[];
  /** Policy refusals that no success came behind. */
  readonly refusedInRow: readonly Refused[];
}

/**
 * The account of every relay over all workers, borrowed ones included: breaker, load, connections granted. A worker's
 * grant for a relay holds while it has a task for it, so that the relay's limit holds whoever does the sending.
 */
export class RelayBook {
  readonly #entries = new Map<string, Entry>();
  readonly #settings: RelayBookSettings;
  readonly #logger: Logger;
  readonly #now: () => number;

  constructor(
    relays: readonly RelaySettings[],
    settings: RelayBookSettings,
    logger: Logger,
    now: () => number,
  ) {
    this.#settings = settings;
    this.#logger = logger;
    this.#now = now;
    for (const relay of relays) {
      this.#entries.set(relay.name, {
        settings: relay,
        breaker: CLOSED,
        streak: NO_STREAK,
        refusesUs: false,
        leased: 0,
        grants: new Map(),
        probe: undefined,
        sent: 0,
        faults: 0,
        lastFault: undefined,
      });
    }
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  settings(name: string): RelaySettings | undefined {
    return this.#entries.get(name)?.settings;
  }

  /** Chooses a relay for a task of this worker, among those allowed. */
  choose(
    worker: string,
    workerConnections: number,
    allowed: readonly string[] | undefined,
  ): RelayChoice | undefined {
    const candidates: RelayCandidate[] = [];
    for (const [name, entry] of this.#entries) {
      if (allowed !== undefined && !allowed.includes(name)) continue;
      this.#set(entry, afterTime(entry.breaker, this.#now()));
      candidates.push({
        name,
        weight: entry.settings.weight,
        leased: entry.leased,
        breaker: kindOf(entry.breaker),
        connections: this.#connectionsFor(entry, worker, workerConnections),
      });
    }
    return chooseRelay(candidates);
  }

  /** Whether a further worker could get mail out through one of these relays now. */
  available(allowed: readonly string[] | undefined): boolean {
    return this.choose('', Number.POSITIVE_INFINITY, allowed) !== undefined;
  }

  /** Whether a further worker would speed things up: some relay takes mail, and its limit of connections is not reached. */
  healthy(allowed: readonly string[] | undefined): boolean {
    for (const [name, entry] of this.#entries) {
      if (allowed !== undefined && !allowed.includes(name)) continue;
      if (entry.breaker.kind === 'closed' && this.#connectionsFor(entry, '', 1) > 0) return true;
    }
    return false;
  }

  /** Whether one of these relays waits for somebody to try whether it is back. */
  isProbeDue(allowed: readonly string[] | undefined): boolean {
    for (const [name, entry] of this.#entries) {
      if (allowed !== undefined && !allowed.includes(name)) continue;
      const breaker = afterTime(entry.breaker, this.#now());
      const isDue = breaker.kind === 'half-open' && !breaker.probing;
      if (isDue && this.#connectionsFor(entry, '', 1) > 0) return true;
    }
    return false;
  }

  /** Why nothing can go out through these relays, for people; undefined when something can. */
  whyNot(allowed: readonly string[] | undefined): string | undefined {
    if (this.#entries.size === 0)
      return 'no relay is configured: start the server with --relay smtp://host:port';
    if (this.available(allowed)) return undefined;
    const reasons = [...this.#entries.values()]
      .filter((entry) => allowed === undefined || allowed.includes(entry.settings.name))
      .map((entry) => reasonOf(entry, this.#now()));
    return reasons.length === 0
      ? `none of its relays (${allowed?.join(', ')}) is configured here`
      : reasons.join('; ');
  }

  /** A task for this relay is leased. Returns the connections granted, or undefined where the worker may choose. */
  taskLeased(
    name: string,
    task: string,
    worker: string,
    workerConnections: number,
    recipients: number,
    probe: boolean,
  ): number | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const connections = this.#connectionsFor(entry, worker, workerConnections);
    const grant = entry.grants.get(worker);
    if (grant === undefined) entry.grants.set(worker, { connections, tasks: 1 });
    else grant.tasks++;
    entry.leased += recipients;
    if (probe) {
      entry.probe = task;
      this.#set(entry, probeSent(entry.breaker));
    }
    return entry.settings.connections === undefined ? undefined : connections;
  }

  /** Recipients of a task were settled or came back. */
  recipientsSettled(name: string, recipients: number): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) entry.leased = Math.max(0, entry.leased - recipients);
  }

  /** The worker holds this task no longer. */
  taskEnded(name: string, task: string, worker: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const grant = entry.grants.get(worker);
    if (grant !== undefined && --grant.tasks <= 0) entry.grants.delete(worker);
    if (entry.probe === task) {
      entry.probe = undefined;
      this.#set(entry, probeReturned(entry.breaker));
    }
  }

  /** Feeds the breaker. Returns the recipients to be put back, because the relay refused all of us and not them. */
  reported(name: string, report: RelayReport): readonly Refused[] {
    const entry = this.#entries.get(name);
    if (entry === undefined) return [];
    const probe = entry.probe === report.task;
    entry.sent += report.sent;
    entry.faults += report.faults;
    const refusedAgain = entry.refusesUs && report.sent === 0 && report.refusedInRow.length > 0;
    if (report.alive > 0 && !refusedAgain) this.#set(entry, afterSuccess(entry.breaker, { probe }));
    for (const reason of report.faultsInRow) {
      entry.lastFault = reason;
      this.#set(entry, afterFault(entry.breaker, { probe, reason }, this.#now(), this.#settings));
    }
    return this.#refused(entry, report, probe);
  }

  /**
   * The policy refusals of a report. `policyThreshold` of them in a row pause the relay; from then on every further one, of the
   * mails that were under way and of the probe, is the relay's affair as well.
   */
  #refused(entry: Entry, report: RelayReport, probe: boolean): readonly Refused[] {
    if (report.sent > 0) entry.streak = NO_STREAK;
    const threshold = entry.refusesUs ? 1 : this.#settings.policyThreshold;
    const { streak, putBack } = afterRefusals(entry.streak, report.refusedInRow, threshold);
    entry.streak = streak;
    if (putBack.length === 0) return [];
    entry.refusesUs = true;
    const { breaker } = entry;
    if (breaker.kind === 'closed' || (breaker.kind === 'half-open' && probe)) {
      const times = breaker.kind === 'closed' ? 1 : breaker.times + 1;
      const reason = 'it refuses all our mail for its policy';
      this.#set(entry, opened(times, reason, this.#now(), this.#settings));
    }
    return putBack;
  }

  isOpen(name: string): boolean {
    return this.#entries.get(name)?.breaker.kind === 'open';
  }

  /** When the relay may be tried again; now when its breaker is closed. */
  opensAt(name: string): number {
    const breaker = this.#entries.get(name)?.breaker;
    return breaker?.kind === 'open' ? breaker.until : this.#now();
  }

  /** The earliest time at which an open breaker becomes half-open. */
  nextChangeAt(): number | undefined {
    let next: number | undefined;
    for (const { breaker } of this.#entries.values()) {
      if (breaker.kind === 'open' && (next === undefined || breaker.until < next)) next = breaker.until;
    }
    return next;
  }

  snapshot(): readonly Record<string, unknown>[] {
    return [...this.#entries.values()].map((entry) => ({
      name: entry.settings.name,
      host: entry.settings.host,
      port: entry.settings.port,
      weight: entry.settings.weight,
      breaker: entry.breaker.kind,
      ...(entry.breaker.kind === 'open' ? { opensAt: new Date(entry.breaker.until).toISOString() } : {}),
      leased: entry.leased,
      sent: entry.sent,
      faults: entry.faults,
      ...(entry.lastFault === undefined ? {} : { lastFault: entry.lastFault }),
      connections: [...entry.grants.values()].reduce((sum, grant) => sum + grant.connections, 0),
      ...(entry.settings.connections === undefined ? {} : { limit: entry.settings.connections }),
    }));
  }

  #connectionsFor(entry: Entry, worker: string, wanted: number): number {
    const held = entry.grants.get(worker);
    if (held !== undefined) return held.connections;
    const limit = entry.settings.connections;
    if (limit === undefined) return wanted;
    let used = 0;
    for (const grant of entry.grants.values()) used += grant.connections;
    return Math.min(wanted, limit - used);
  }

  /** The only place that changes a breaker. */
  #set(entry: Entry, breaker: BreakerState): void {
    const before = entry.breaker;
    entry.breaker = breaker;
    if (before.kind === breaker.kind) return;
    const relay = entry.settings.name;
    if (breaker.kind === 'open') {
      this.#logger.warn(
        { relay, forMs: breaker.until - this.#now(), times: breaker.times, reason: breaker.reason },
        'breaker opened, mail for this relay waits',
      );
    } else if (breaker.kind === 'half-open')
      this.#logger.info({ relay }, 'breaker half-open, the next mail is a probe');
    else {
      entry.refusesUs = false;
      this.#logger.info({ relay }, 'breaker closed, the relay is back');
    }
  }
}

function kindOf(state: BreakerState): 'closed' | 'half-open' | 'probing' | 'open' {
  return state.kind === 'half-open' && state.probing ? 'probing' : state.kind;
}

function reasonOf(entry: Entry, now: number): string {
  const { breaker, settings } = entry;
  if (breaker.kind === 'open') {
    return `relay ${settings.name}: breaker open for another ${Math.ceil((breaker.until - now) / 1000)} s (${breaker.reason})`;
  }
  if (breaker.kind === 'half-open') return `relay ${settings.name}: a probe is out`;
  return `relay ${settings.name}: its limit of ${settings.connections ?? 0} connections is in use`;
}

import {
  endpointUrl,
  type Redirect,
  type ServerToWorker,
  type WorkerToServer,
} from '../../protocol/index.ts';
import type { Logger } from '../logger.ts';
import type { Surroundings } from '../surroundings.ts';
import { backoffMs } from './backoff.ts';
import type { LivenessTimes } from './liveness.ts';
import { afterFailure, canonicalUrl, homeOf, type Loan, type Place } from './route.ts';
import { type LinkEnd, type OpenSocket, ServerLink } from './server-link.ts';

/** A link that lasted this long was good, ms: then the next back-off starts from its base again. */
const GOOD_LINK_MS = 5_000;
/** How long a departure waits for what is in flight, ms. A relay may sit on a mail for ten minutes: then it is not waited for. */
export const DEPART_WITHIN_MS = 60_000;
/** A task may be on its way here when the worker says that it wants none, ms: so long it waits, to hand it back. */
export const CROSSING_MS = 150;
/** On a fallback server, the home server is looked for so often, ms; half of it and more, so that not all come at once. */
const LOOK_HOME_EVERY_MS = 10_000;
/** The same while the fallback says that home lives. */
const LOOK_HOME_SOON_MS = 2_000;
/** Servers that home told of, beyond the worker's own. */
const MAX_TOLD = 100;

/** What the journey needs of the rest of the worker. */
export interface Traveller {
  /** The link to this server is open: say ALIVE, present what was not acknowledged. */
  arrived(url: string): void;
  /** The link is gone; it will be made again, there or elsewhere. */
  lost(url: string): void;
  message(url: string, message: ServerToWorker): void;
  /** Start nothing more for this server, hand back the rest, and ask for nothing. */
  pack(url: string): void;
  /** Nothing is held for this server and all results are acknowledged. */
  isPacked(url: string): boolean;
}

export interface JourneyOptions {
  /** Home first, then its fallbacks. */
  readonly servers: readonly string[];
  readonly token?: string;
  readonly ca?: string;
  readonly connectWithinMs: number;
  readonly patienceMs: number;
  readonly departWithinMs: number;
  readonly lookHomeEveryMs?: number;
  readonly liveness: LivenessTimes;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
  /** Replaces the sockets of the network. */
  readonly openSocket?: OpenSocket;
}

type Around = Pick<Surroundings, 'now' | 'setTimer' | 'random'>;

type State = 'home' | 'leaving' | 'away' | 'returning' | 'stopped';

/**
 * Where the worker works, and its way there and back. One link at a time, so it is never in two places.
 *
 * - `home`: connected or connecting to its own servers. A REDIRECT → `leaving`. On a fallback, the first server being
 *   reachable again → `leaving`, with that server as the goal.
 * - `leaving`: still linked to home, asks for nothing, finishes what is in flight, hands back the rest. Everything
 *   acknowledged, or the link lost → `away` (or `home`, at the goal). Not done within `departWithinMs` → back to `home`: the
 *   loan is off.
 * - `away`: connected or connecting to the borrower, showing ticket and home. RETURN, the end of the loan → `returning`.
 *   Refused, or borrower and FAILOVER_LIST unreachable → `home`.
 * - `returning`: still linked to the borrower, as `leaving`. Everything acknowledged, the link lost, or `departWithinMs`
 *   over → `home`, at the server that lent it.
 * - `stopped`: `stop()`; no link, no timer.
 *
 * `shareStore` adds to its own servers those that home names: they share its store, and take over when it is gone.
 *
 * A REDIRECT is obeyed in `home` only, a RETURN in `away` only; where home is the worker knows itself, RETURN does not tell.
 * Lost links are made again with jittered back-off; where, `route.ts` decides.
 */
export class Journey {
  readonly #options: JourneyOptions;
  readonly #servers: readonly string[];
  /** Servers that share the store of home, behind its own. */
  #told: readonly string[] = [];
  /** The present server stops, and others take over what it has: it is not waited for. */
  #isReleased = false;
  /** The present server, which is not home, says that home lives. */
  #homeLives = false;
  readonly #traveller: Traveller;
  readonly #logger: Logger;
  readonly #around: Around;
  #state: State = 'home';
  #place: Place = { kind: 'home', index: 0 };
  #goal: Place | undefined;
  #link: ServerLink | undefined;
  #attempt = 0;
  #since = 0;
  #wasThere = false;
  #openedAt = 0;
  #saidUnreachable = false;
  /** Servers that refused this worker and have not taken it since: they are tried on, but only debug lines tell. */
  readonly #refusedBy = new Set<string>();
  #cancelConnect: (() => void) | undefined;
  #cancelDeparture: (() => void) | undefined;
  #cancelCrossing: (() => void) | undefined;
  #departFrom = 0;
  #cancelLoanEnd: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #scout: ServerLink | undefined;
  #whenStopped: (() => void) | undefined;

  constructor(options: JourneyOptions, traveller: Traveller, logger: Logger, around: Around) {
    this.#options = options;
    this.#servers = options.servers.map(canonicalUrl);
    this.#traveller = traveller;
    this.#logger = logger;
    this.#around = around;
  }

  start(): void {
    this.#since = this.#around.now();
    this.#connect();
  }

  /** Closes the link; what was sent before still arrives. */
  async stop(): Promise<void> {
    this.#become('stopped');
    this.#cancelConnect?.();
    this.#cancelDeparture?.();
    this.#cancelCrossing?.();
    this.#cancelLoanEnd?.();
    this.#endScouting();
    const link = this.#link;
    if (link === undefined) return;
    await new Promise<void>((resolve) => {
      this.#whenStopped = resolve;
      link.close('the worker stops');
    });
  }

  /** Address of the server it works for now, or is on its way to. */
  get url(): string {
    return this.#urlOf(this.#place);
  }

  get state(): State {
    return this.#state;
  }

  get isUp(): boolean {
    return this.#link?.isOpen === true;
  }

  /** What comes from the server now was sent after this moment, ms. */
  get provenAt(): number {
    return this.#link?.provenAt ?? this.#around.now();
  }

  /** Whether new tasks are welcome: not on the way out. */
  get isStaying(): boolean {
    return this.#state === 'home' || this.#state === 'away';
  }

  /** What the ALIVE to the present server says of the loan. */
  get papers(): { SERVER_UUID?: string; TICKET?: string } {
    if (this.#place.kind === 'home') return {};
    const { homeUuid, ticket } = this.#place.loan;
    return { ...(homeUuid === undefined ? {} : { SERVER_UUID: homeUuid }), TICKET: ticket };
  }

  /** False when there is no open link to that server. */
  send(url: string, message: WorkerToServer): boolean {
    return this.#link !== undefined && url === this.url && this.#link.send(message);
  }

  /**
   * The present server says who shares its store. `leaving`: it stops, and they take over. What a borrower says is no reason to go
   * anywhere: then it is home that knows.
   */
  shareStore(urls: readonly string[], leaving: boolean): void {
    if (this.#place.kind !== 'home') return;
    const isOwn = this.#place.index < this.#servers.length;
    // An index into the list may be in use: then it only grows.
    const kept = isOwn && this.#goal === undefined ? [] : this.#told;
    const others = urls.filter((url) => !this.#servers.includes(url));
    this.#told = [...new Set([...kept, ...others])].slice(0, MAX_TOLD);
    this.#isReleased = leaving;
    const homeLived = this.#homeLives;
    this.#homeLives = urls.includes(this.#servers[0] as string);
    const isAwaited = this.#homeLives && !homeLived && this.#scout === undefined;
    if (isAwaited && this.#state === 'home' && this.#place.index !== 0 && this.isUp) this.#scoutHome();
  }

  /** Cuts a link whose server does not answer; it is made again. */
  reconnect(reason: string): void {
    this.#link?.cut(reason);
  }

  /** Something was finished or acknowledged: perhaps it can go now. */
  settled(): void {
    if (this.#state !== 'leaving' && this.#state !== 'returning') return;
    if (this.#around.now() >= this.#departFrom && this.#traveller.isPacked(this.url))
      this.#link?.close('leaving');
  }

  #become(state: State): void {
    this.#state = state;
  }

  #urlOf(place: Place): string {
    const { index } = place;
    if (place.kind === 'away') return place.loan.urls[index] as string;
    return (this.#servers[index] ?? this.#told[index - this.#servers.length] ?? this.#servers[0]) as string;
  }

  #connect(): void {
    const place = this.#place;
    const url = this.#urlOf(place);
    const { token, ca, connectWithinMs, liveness, openSocket } = this.#options;
    // A borrower gets the ticket; the token is between the worker and its own servers.
    this.#link = new ServerLink(
      {
        url,
        ca,
        connectWithinMs,
        liveness,
        openSocket,
        ...(place.kind === 'home' && token !== undefined ? { token } : {}),
      },
      {
        open: () => this.#opened(url),
        good: () => this.#taken(url),
        message: (message) => this.#received(url, message),
        end: (end) => this.#ended(url, end),
      },
      this.#logger,
      this.#around,
    );
  }

  #opened(url: string): void {
    this.#openedAt = this.#around.now();
    this.#saidUnreachable = false;
    const fields = { server: url, borrowed: this.#place.kind === 'away' };
    if (this.#refusedBy.has(url)) this.#logger.debug(fields, 'connected');
    else this.#logger.info(fields, 'connected');
    this.#traveller.arrived(url);
    if (this.#state === 'home' && this.#place.index !== 0) this.#scoutHome();
  }

  #taken(url: string): void {
    if (this.#refusedBy.delete(url)) this.#logger.info({ server: url }, 'the server takes this worker now');
  }

  #received(url: string, message: ServerToWorker): void {
    const task = 'TASK' in message ? message.TASK : undefined;
    if (task === 'REDIRECT') this.#redirected(message as Redirect);
    else if (task === 'RETURN') this.#returned();
    else this.#traveller.message(url, message);
  }

  #returned(): void {
    if (this.#state !== 'away' || this.#place.kind !== 'away') return;
    this.#depart('returning', homeOf(this.#place.loan), 'told to return');
  }

  #redirected(redirect: Redirect): void {
    if (this.#state !== 'home') {
      this.#logger.warn({ state: this.#state }, 'a REDIRECT is only obeyed at home');
      return;
    }
    const stayMs = redirect.LEND_S === undefined ? Number.POSITIVE_INFINITY : redirect.LEND_S * 1000;
    const loan: Loan = {
      urls: [redirect.TARGET_MASTER, ...redirect.FAILOVER_LIST].map((e) => canonicalUrl(endpointUrl(e))),
      ticket: redirect.TICKET,
      ...(redirect.SERVER_UUID === undefined ? {} : { homeUuid: redirect.SERVER_UUID }),
      endsAt: this.#around.now() + stayMs,
      lender: this.#place.index,
    };
    this.#depart('leaving', { kind: 'away', index: 0, loan }, 'redirected');
  }

  #depart(state: 'leaving' | 'returning', goal: Place, why: string): void {
    this.#become(state);
    this.#goal = goal;
    this.#endScouting();
    this.#logger.info({ from: this.url, to: this.#urlOf(goal) }, why);
    this.#cancelDeparture = this.#around.setTimer(
      () => this.#departureTooLong(),
      this.#options.departWithinMs,
    );
    this.#traveller.pack(this.url);
    this.#departFrom = this.#around.now() + CROSSING_MS;
    // A little later than that, so that the clock agrees.
    this.#cancelCrossing = this.#around.setTimer(() => this.settled(), CROSSING_MS + 2);
  }

  #departureTooLong(): void {
    if (this.#state === 'returning') {
      this.#link?.close('leaving with mails in flight');
      return;
    }
    this.#logger.warn({ server: this.url }, 'stays: what is in flight takes too long to leave');
    this.#goal = undefined;
    this.#become('home');
    this.#traveller.arrived(this.url);
  }

  #ended(url: string, end: LinkEnd): void {
    this.#link = undefined;
    if (end.wasOpen) {
      if (!end.refused) this.#logger.info({ server: url, reason: end.reason }, 'disconnected');
      this.#traveller.lost(url);
    }
    if (this.#state === 'stopped') {
      this.#whenStopped?.();
      return;
    }
    this.#endScouting();
    const now = this.#around.now();
    if (this.#goal !== undefined) {
      this.#go(this.#goal);
      return;
    }
    // One that only accepts and closes again is as good as unreachable.
    if (end.wasOpen && (end.wasGood || now - this.#openedAt >= GOOD_LINK_MS)) {
      this.#since = now;
      this.#wasThere = true;
      this.#attempt = 0;
    }
    this.#sayUnreachable(url, end);
    this.#carryOn(end, now);
  }

  /** Tries again here after a while, or goes on to the next place at once. */
  #carryOn(end: LinkEnd, now: number): void {
    const next = afterFailure(
      this.#place,
      {
        refused: end.refused,
        since: this.#since,
        wasThere: this.#wasThere && !this.#isReleased,
        now,
      },
      this.#servers.length + this.#told.length,
      this.#options.patienceMs,
    );
    if (next.kind !== this.#place.kind || (next.kind === 'away' && next.index !== this.#place.index)) {
      this.#go(next);
      return;
    }
    this.#moveTo(next);
    const { patienceMs } = this.#options;
    const { baseMs, capMs } = this.#options.backoff;
    const waitMs = backoffMs(this.#attempt++, this.#around.random(), baseMs, capMs);
    // Once more when the patience is over, and then elsewhere.
    const patienceLeftMs = this.#since + patienceMs - now;
    const isAlone = this.#servers.length + this.#told.length === 1;
    const soonestMs = isAlone || patienceLeftMs <= 0 ? waitMs : Math.min(waitMs, patienceLeftMs);
    this.#cancelConnect = this.#around.setTimer(() => this.#connect(), soonestMs);
  }

  #sayUnreachable(url: string, end: LinkEnd): void {
    const fields = { server: url, reason: end.reason };
    if (end.refused) this.#sayRefused(fields);
    else if (!end.wasOpen && !this.#saidUnreachable) {
      this.#saidUnreachable = true;
      this.#logger.warn(fields, 'the server cannot be reached; trying on');
    }
  }

  /** An error the first time; it is tried on for ever, so the others at debug. */
  #sayRefused(fields: { readonly server: string; readonly reason: string }): void {
    if (this.#refusedBy.has(fields.server)) {
      this.#logger.debug(fields, 'the server still refuses this worker');
      return;
    }
    const isHome = this.#place.kind === 'home';
    if (isHome) this.#refusedBy.add(fields.server);
    const what = isHome ? 'token; trying on' : 'ticket';
    this.#logger.error(fields, `the server refuses this worker: look at its ${what}`);
  }

  #moveTo(place: Place): void {
    if (place.kind !== this.#place.kind || place.index !== this.#place.index) {
      this.#since = this.#around.now();
      this.#wasThere = false;
      this.#isReleased = false;
      this.#homeLives = false;
    }
    this.#place = place;
  }

  /** Goes to another kind of place at once. */
  #go(place: Place): void {
    this.#goal = undefined;
    this.#cancelDeparture?.();
    this.#cancelCrossing?.();
    this.#cancelLoanEnd?.();
    this.#moveTo(place);
    this.#attempt = 0;
    this.#saidUnreachable = false;
    this.#become(place.kind);
    if (place.kind === 'away') this.#limitStay(place.loan);
    this.#logger.info({ server: this.url }, place.kind === 'away' ? 'goes to help out' : 'goes home');
    this.#connect();
  }

  #limitStay(loan: Loan): void {
    const leftMs = loan.endsAt - this.#around.now();
    // Node's timers end at 2^31 ms, which is 24 days.
    if (leftMs > 2 ** 31 - 1) return;
    this.#cancelLoanEnd = this.#around.setTimer(
      () => {
        if (this.#state !== 'away') return;
        if (this.isUp) this.#depart('returning', homeOf(loan), 'the loan is over');
        else if (this.#link !== undefined) {
          this.#goal = homeOf(loan);
          this.#link.cut('the loan is over');
        } else {
          this.#cancelConnect?.();
          this.#go(homeOf(loan));
        }
      },
      Math.max(leftMs, 0),
    );
  }

  /** On a fallback: looks whether the first server is back, by opening a link that says nothing. */
  #scoutHome(): void {
    const usualMs = this.#homeLives ? LOOK_HOME_SOON_MS : LOOK_HOME_EVERY_MS;
    const everyMs = (this.#options.lookHomeEveryMs ?? usualMs) * (0.5 + this.#around.random() / 2);
    this.#cancelLook?.();
    this.#cancelLook = this.#around.setTimer(() => {
      const { token, ca, connectWithinMs, liveness, openSocket } = this.#options;
      this.#scout = new ServerLink(
        { url: this.#servers[0] as string, token, ca, connectWithinMs, liveness, openSocket },
        {
          open: () => {
            this.#scout?.close('looked');
            if (this.#state === 'home') this.#depart('leaving', { kind: 'home', index: 0 }, 'home is back');
          },
          message: () => {},
          end: () => {
            this.#scout = undefined;
            if (this.#state === 'home' && this.isUp) this.#scoutHome();
          },
        },
        this.#logger,
        this.#around,
      );
    }, everyMs);
  }

  #endScouting(): void {
    this.#cancelLook?.();
    this.#scout?.close('looked');
  }
}

import type { z } from 'zod';
import type { Endpoint, PeerMessage, Redirect, Return } from '../../protocol/index.ts';
import type { PoolFigures } from './load.ts';

/** Time as the mesh asks for it, so that the same code runs under virtual time. */
export interface Clock {
  /** Wall clock, ms since the epoch: for what other machines read (tickets, loans). */
  now(): number;
  /** ms since some fixed moment, never set back: for silences, back-offs and ages. */
  monotonic(): number;
  /** Calls once after `ms`; the function it returns cancels. */
  setTimer(callback: () => void, ms: number): () => void;
}

/** The machine's own clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (callback, ms) => {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Both clocks read at one moment. */
export interface Instant {
  readonly wall: number;
  readonly mono: number;
}

export function instantOf(clock: Clock): Instant {
  return { wall: clock.now(), mono: clock.monotonic() };
}

/** What the mesh writes its log lines to; a pino logger is one. */
export interface MeshLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/**
 * One open connection to another server, whoever opened it. Its messages have been parsed: what was malformed never
 * arrives here. Listeners are set once, before anything else can arrive.
 */
export interface PeerConnection {
  /** Address of the other end as the network sees it, without a port; undefined when unknown. */
  readonly remoteAddress: string | undefined;
  /** Sending on a closed connection does nothing. */
  send(message: PeerMessage): void;
  close(code: number, reason: string): void;
  onMessage(listener: (message: PeerMessage) => void): void;
  onClose(listener: (code: number, reason: string) => void): void;
}

/** Opens connections to other servers. */
export interface PeerTransport {
  /** @throws when nobody answers there, or who answers refuses. */
  dial(endpoint: Endpoint): Promise<PeerConnection>;
}

/** An own worker that is connected at home. */
export interface HomeWorker {
  readonly uuid: string;
  /** It holds no task, waits for one, and is not leaving. */
  readonly idle: boolean;
  /** It is about to stop: nobody can reckon with it. */
  readonly isLeaving: boolean;
  /** It understands REDIRECT; a minimal worker does not and is never lent. */
  readonly travels: boolean;
}

/** A borrowed worker that is connected here. */
export interface GuestWorker {
  readonly uuid: string;
  readonly idle: boolean;
}

export type ReturnMessage = z.infer<typeof Return>;

/** The workers, as gateway and dispatch know them. */
export interface MeshPool {
  figures(): PoolFigures;
  homeWorkers(): readonly HomeWorker[];
  guestWorkers(): readonly GuestWorker[];
  /**
   * Sends an idle own worker away and gives it no more tasks.
   * @returns false when it is not connected or no longer idle: then nothing was sent.
   */
  redirect(worker: string, message: Redirect): boolean;
  /**
   * Sends a borrowed worker home: it gets no more tasks, finishes or hands back what it holds, and leaves.
   * @returns false when it is not connected.
   */
  returnHome(worker: string, message: ReturnMessage): boolean;
}

/** What the worker's parts ask of the process around them: time and chance. Each part names what it needs of it. */
export interface Surroundings {
  /** ms since some moment, never going back. */
  now(): number;
  /** Calls once after `ms`; what it returns cancels. */
  setTimer(callback: () => void, ms: number): () => void;
  /** Calls once when what happens now is over, before any timer that is set later. */
  soon(callback: () => void): void;
  /** Chance, from [0, 1); only for jitter. */
  random(): number;
}

/** Those of this process. Its timers keep it alive. */
export const processSurroundings: Surroundings = {
  now: () => performance.now(),
  setTimer: (callback, ms) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  soon: (callback) => {
    setImmediate(callback);
  },
  random: () => Math.random(),
};

/** Calls every `ms` until what it returns is called. */
export function every(
  surroundings: Pick<Surroundings, 'setTimer'>,
  ms: number,
  callback: () => void,
): () => void {
  let cancel = surroundings.setTimer(again, ms);
  function again(): void {
    cancel = surroundings.setTimer(again, ms);
    callback();
  }
  return () => cancel();
}

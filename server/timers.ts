/** Calls once after `ms`; what it returns cancels. */
export type SetTimer = (callback: () => void, ms: number) => () => void;

/** The timers of this process. They do not keep it alive: the port it listens on does. */
export const processTimer: SetTimer = (callback, ms) => {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

/** Calls every `ms` until what it returns is called. */
export function every(setTimer: SetTimer, ms: number, callback: () => void): () => void {
  let cancel = setTimer(again, ms);
  function again(): void {
    cancel = setTimer(again, ms);
    callback();
  }
  return () => cancel();
}

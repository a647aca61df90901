/** One run of a server. A restart is another one, and so is a server that runs on a copy of the data folder. */
export interface Run {
  /** Drawn at the start. */
  readonly instance: string;
  /** When it began, in monotonic ms of the one who looks. */
  readonly since: number;
}

/** Two that began within this time of each other may be seen in either order, ms. */
const SAME_TIME_MS = 1_000;

/** Whether `a` was there before `b`; everybody who sees both finds the same. */
export function wasFirst(a: Run, b: Run): boolean {
  const apart = b.since - a.since;
  return Math.abs(apart) < SAME_TIME_MS ? a.instance < b.instance : apart > 0;
}

/** What a heartbeat says of its sender's run; undefined: nothing. */
export function runOf(
  { INSTANCE, UP_S }: { readonly INSTANCE?: string; readonly UP_S?: number },
  now: number,
): Run | undefined {
  return INSTANCE === undefined ? undefined : { instance: INSTANCE, since: now - (UP_S ?? 0) * 1_000 };
}

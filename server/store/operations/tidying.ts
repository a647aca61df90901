/** How long the tasks of a finished batch are remembered for late reports, ms. */
export const REMEMBER_TASKS_MS = 60 * 60_000;

/** Time between two looks for what nobody needs any more, ms. */
export const SWEEP_EVERY_MS = 10 * 60_000;

/** What the housekeeping could not do, for the log. */
export interface StoreLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

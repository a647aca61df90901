/** Exit codes of the commands that submit or follow a batch. */
export const EXIT = { allSent: 0, error: 1, someFailed: 2, interrupted: 130 } as const;

/** Something that the reader can put right: one clear line, and what to do next. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code = 'CLI';
  readonly hint?: string;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

import type { Connection, Submittable } from 'pg';
import type { Row } from './scope.ts';
import { STATEMENTS, type Step } from './statements.ts';

/** Prepares every statement of STATEMENTS on a connection, in one way there and back. */
export class Preparation implements Submittable {
  readonly #done: (error?: unknown) => void;

  constructor(done: (error?: unknown) => void) {
    this.#done = done;
  }

  submit(connection: Connection): void {
    connection.stream.cork();
    for (const [name, text] of Object.entries(STATEMENTS)) connection.parse({ name, text, types: [] }, true);
    connection.sync();
    connection.stream.uncork();
  }

  handleError(error: unknown): void {
    this.#done(error);
  }

  handleReadyForQuery(): void {
    this.#done();
  }
}

/**
 * Prepared statements sent at once, with one answer: by the protocol they are one transaction, which is committed at the
 * end or not at all. Tells the rows of each.
 */
export class Pipeline implements Submittable {
  readonly #steps: readonly Step[];
  readonly #done: (error: unknown, rows: readonly Row[][]) => void;
  readonly #rows: Row[][];
  #at = 0;

  constructor(steps: readonly Step[], done: (error: unknown, rows: readonly Row[][]) => void) {
    this.#steps = steps;
    this.#done = done;
    this.#rows = steps.map(() => []);
  }

  submit(connection: Connection): void {
    connection.stream.cork();
    for (const { statement, values } of this.#steps) {
      connection.bind({ statement, values: values as (string | null)[] }, true);
      connection.execute(null, true);
    }
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription(): void {}

  handleDataRow({ fields }: { readonly fields: Row }): void {
    this.#rows[this.#at]?.push(fields);
  }

  handleCommandComplete(): void {
    this.#at++;
  }

  handleEmptyQuery(): void {
    this.#at++;
  }

  handlePortalSuspended(): void {}

  handleError(error: unknown): void {
    this.#done(error, []);
  }

  handleReadyForQuery(): void {
    this.#done(undefined, this.#rows);
  }
}

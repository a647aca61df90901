import { numberArray, textArray } from './array-text.ts';
import type { Scope } from './scope.ts';
import type { StatementName, Step } from './statements.ts';

type Cell = string | number | null | undefined;
type Kind = 'number' | 'text';

interface Rows {
  readonly statement: StatementName;
  readonly kinds: readonly Kind[];
  readonly columns: Cell[][];
}

/**
 * The changes of a group in the order in which they were made, as statements over arrays: those of one kind that follow each
 * other become one.
 */
export class Changes {
  readonly #scope: Scope;
  #rows: (Rows | Step)[] = [];

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  /** Adds one row of parameters; `kinds` tells what the columns are. Nothing may change the same row twice in a row. */
  add(statement: StatementName, kinds: readonly Kind[], cells: readonly Cell[]): void {
    const last = this.#rows.at(-1);
    let rows: Rows;
    const isSame = last !== undefined && 'columns' in last && last.statement === statement;
    if (isSame) rows = last;
    else {
      rows = { statement, kinds, columns: kinds.map(() => []) };
      this.#rows.push(rows);
    }
    for (let i = 0; i < cells.length; i++) rows.columns[i]?.push(cells[i]);
    this.#scope.onUndo(() => {
      for (const column of rows.columns) column.pop();
    });
  }

  /** Adds a statement whose parameters are no arrays. */
  one(statement: StatementName, values: readonly (string | null)[]): void {
    const step = { statement, values };
    this.#rows.push(step);
    this.#scope.onUndo(() => {
      this.#rows = this.#rows.filter((other) => other !== step);
    });
  }

  /** What is to be done, and begins anew. */
  drain(): Step[] {
    const steps: Step[] = [];
    for (const rows of this.#rows) {
      if (!('columns' in rows)) steps.push(rows);
      else if (rows.columns[0]?.length !== 0) {
        const values = rows.columns.map((column, i) =>
          rows.kinds[i] === 'number'
            ? numberArray(column as (number | null)[])
            : textArray(column as (string | null)[]),
        );
        steps.push({ statement: rows.statement, values });
      }
    }
    this.#rows = [];
    return steps;
  }
}

/** One row of a batch. */
export interface RecipientInput {
  readonly address: string;
  /** Display name for the To header. */
  readonly name?: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Where the row comes from, such as `people.csv:12`; given back with a rejection, never sent. */
  readonly origin?: string;
}

/** A row that the source of the recipients could not read. It is counted and told as rejected, and never sent. */
export interface UnreadableRow {
  readonly problem: string;
  readonly address?: string;
  readonly origin?: string;
}

export type Row = RecipientInput | UnreadableRow;
export type Rows = Iterable<Row> | AsyncIterable<Row>;
/** Rows, or a function that gives them from the start: with it a submission can repeat itself after a lost connection. */
export type RowSource = Rows | (() => Rows);

/** A row that is not in the batch, and why. */
export interface Rejection {
  /** Position among all the rows, from 1. */
  readonly row: number;
  readonly address: string;
  readonly reason: string;
  readonly origin?: string;
}

/** The rows, if they can be had again from the start: a function is called again, an array is read again. */
export function isRepeatable(source: RowSource): boolean {
  return typeof source === 'function' || Array.isArray(source) || source instanceof Set;
}

export function rowsOf(source: RowSource): Rows {
  return typeof source === 'function' ? source() : source;
}

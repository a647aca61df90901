import type { StatementName } from './statements.ts';

/** A row as it comes over the line. */
export type Row = readonly (string | null)[];

/** Reads what is committed. */
export type Read = (statement: StatementName, values: readonly (string | null)[]) => Promise<Row[]>;

/** Something that an operation needs is not in memory: it is undone, `load` is awaited, and it is run again. */
export class NotLoaded extends Error {
  readonly load: (read: Read) => Promise<void>;

  constructor(load: (read: Read) => Promise<void>) {
    super('not in memory');
    this.load = load;
  }
}

/** An operation asks the database for what an earlier one of its group changed: the group is to be committed first. */
export class CommitFirst extends Error {}

/** What the tables know of the operation that is run: how to undo it, and what was loaded for it. */
export class Scope {
  #loaded = new Map<string, unknown>();
  #undo: (() => void)[] = [];

  /** @param loaded what earlier runs of this operation had loaded */
  begin(loaded: Map<string, unknown>): void {
    this.#loaded = loaded;
    this.#undo = [];
  }

  onUndo(step: () => void): void {
    this.#undo.push(step);
  }

  undo(): void {
    for (const step of this.#undo.reverse()) step();
    this.#undo = [];
  }

  /** What was loaded for this operation under that name; asks for it when it is not there. */
  need<T>(name: string, load: (read: Read) => Promise<T>): T {
    const loaded = this.#loaded;
    if (loaded.has(name)) return loaded.get(name) as T;
    throw new NotLoaded(async (read) => {
      loaded.set(name, await load(read));
    });
  }

  /** What an earlier run of this operation left under that name, or what `make` makes. */
  have<T>(name: string, make: () => T): T {
    if (!this.#loaded.has(name)) this.#loaded.set(name, make());
    return this.#loaded.get(name) as T;
  }

  /** Something else that was loaded along. */
  put(name: string, value: unknown): void {
    this.#loaded.set(name, value);
  }
}

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Message } from '../../../protocol/index.ts';
import type { ResolvedOptions } from '../../batches/batch.ts';

export interface Content {
  readonly message: Message;
  readonly options: ResolvedOptions;
}

/** What a batch says and how it is to be sent; written when it is submitted and never changed after. */
export class ContentTable {
  readonly #insert: StatementSync;
  readonly #setMessage: StatementSync;
  readonly #whole: StatementSync;
  readonly #withoutAttachments: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare('INSERT INTO content (batch, options) VALUES (?, ?)');
    this.#setMessage = database.prepare('UPDATE content SET message = ?, attachments = ? WHERE batch = ?');
    this.#whole = database.prepare('SELECT options, message, attachments FROM content WHERE batch = ?');
    this.#withoutAttachments = database.prepare(
      'SELECT options, message, NULL AS attachments FROM content WHERE batch = ?',
    );
    this.#delete = database.prepare('DELETE FROM content WHERE batch = ?');
  }

  insert(batch: number, options: ResolvedOptions): void {
    this.#insert.run(batch, JSON.stringify(options));
  }

  setMessage(batch: number, message: Message): void {
    const { ATTACHMENTS, ...rest } = message;
    this.#setMessage.run(
      JSON.stringify(rest),
      ATTACHMENTS === undefined ? null : JSON.stringify(ATTACHMENTS),
      batch,
    );
  }

  /** `attachments` false: the message comes without them. */
  get(batch: number, attachments: boolean): Content {
    const row = (attachments ? this.#whole : this.#withoutAttachments).get(batch);
    if (row === undefined) throw new Error(`the content of batch ${batch} is not there`);
    const message = JSON.parse(row.message as string) as Message;
    if (typeof row.attachments === 'string') {
      message.ATTACHMENTS = JSON.parse(row.attachments) as NonNullable<Message['ATTACHMENTS']>;
    }
    return { message, options: JSON.parse(row.options as string) as ResolvedOptions };
  }

  delete(batch: number): void {
    this.#delete.run(batch);
  }
}

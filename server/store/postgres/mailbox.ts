import { setTimeout as wait } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import type { OwnerRequest } from '../../owners/store.ts';
import { StoreError } from '../errors.ts';
import type { Listener } from './listener.ts';
import type { Reader } from './reader.ts';
import type { Name } from './writer.ts';

/** Who waits for an answer looks for it in this time at the latest, ms; mostly it hears of it before. */
const LOOK_EVERY_MS = 250;

/** What servers ask of the owners of batches, in rows that survive either of them. */
export class Mailbox {
  readonly #reader: Reader;
  readonly #listener: Listener;

  constructor(reader: Reader, listener: Listener) {
    this.#reader = reader;
    this.#listener = listener;
  }

  /** @throws StoreError STORE_UNAVAILABLE */
  async ask(batch: string, body: unknown, withinMs: number): Promise<unknown> {
    const id = uuidv7();
    const deadline = performance.now() + withinMs;
    await this.#reader.rows(
      `WITH asked AS (INSERT INTO mutirao.request (id, batch, body) VALUES ($1, $2, $3))
       SELECT pg_notify('mutirao', 'request ' || b.owner) FROM mutirao.batch b WHERE b.uuid = $2`,
      [id, batch, JSON.stringify(body)],
    );
    for (;;) {
      await this.#answerOf(id, Math.min(LOOK_EVERY_MS, deadline - performance.now()));
      const isLate = performance.now() >= deadline;
      const [row] = await this.#reader.rows<{ answer: string | null }>(
        `DELETE FROM mutirao.request WHERE id = $1 AND ($2 OR answer IS NOT NULL) RETURNING answer`,
        [id, isLate],
      );
      if (row !== undefined && row.answer !== null) return JSON.parse(row.answer);
      if (isLate) {
        throw new StoreError(
          'STORE_UNAVAILABLE',
          `the server that has batch ${batch} did not answer within ${withinMs} ms; try again`,
        );
      }
    }
  }

  async requests(name: Name, limit: number): Promise<readonly OwnerRequest[]> {
    const rows = await this.#reader.rows<{ id: string; batch: string; body: string }>(
      `WITH mine AS (
         SELECT r.id FROM mutirao.request r JOIN mutirao.batch b ON b.uuid = r.batch
         WHERE b.owner = $1 AND r.answer IS NULL AND r.taken_by IS DISTINCT FROM $2
         ORDER BY r.asked_at LIMIT $3 FOR UPDATE OF r SKIP LOCKED
       ), taken AS (
         UPDATE mutirao.request r SET taken_by = $2 FROM mine WHERE r.id = mine.id
         RETURNING r.id, r.batch, r.body, r.asked_at
       )
       SELECT id, batch, body FROM taken ORDER BY asked_at`,
      [name.server, `${name.server} ${name.incarnation}`, limit],
    );
    return rows.map(({ id, batch, body }) => ({ id, batch, body: JSON.parse(body) as unknown }));
  }

  async answer(server: string, id: string, body: unknown): Promise<void> {
    await this.#reader.rows(
      `WITH answered AS (UPDATE mutirao.request SET answer = $2 WHERE id = $1 RETURNING id)
       SELECT pg_notify('mutirao', 'answer ' || $3 || ' ' || id) FROM answered`,
      [id, JSON.stringify(body), server],
    );
  }

  /** Requests whose askers are gone; they never wait that long. */
  async forgetOld(): Promise<void> {
    await this.#reader.rows(
      `DELETE FROM mutirao.request WHERE asked_at < clock_timestamp() - interval '1 hour'`,
    );
  }

  /** Waits until that request may have been answered, or the time is over. */
  async #answerOf(id: string, withinMs: number): Promise<void> {
    const heard = new AbortController();
    const end = this.#listener.onAnswer((answered) => {
      if (answered === id) heard.abort();
    });
    try {
      await wait(Math.max(0, withinMs), undefined, { signal: heard.signal });
    } catch {
      // heard of it
    } finally {
      end();
    }
  }
}

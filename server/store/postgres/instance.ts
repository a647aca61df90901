import type { InstanceRecord, StorePlace } from '../../instance/store.ts';
import type { Reader } from './reader.ts';

/** The last run of a server on this database; those that share it share this. */
export class Instance {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** The database in its cluster. A copy made by dump and restore, or in another cluster, is another one. */
  async place(path: string): Promise<StorePlace> {
    const [database] = await this.#reader.rows<{ oid: string }>(
      'SELECT oid::text FROM pg_database WHERE datname = current_database()',
    );
    const cluster = await this.#reader
      .rows<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()')
      // Not everyone may ask for it everywhere.
      .catch(() => []);
    return { id: `${cluster[0]?.id ?? 'cluster'}-${database?.oid ?? ''}`, path };
  }

  async last(): Promise<InstanceRecord | undefined> {
    const [row] = await this.#reader.rows<{
      epoch: string;
      host: string | null;
      place: string;
      path: string;
      alive_at: number;
    }>('SELECT epoch, host, place, path, alive_at FROM mutirao.instance');
    if (row === undefined) return undefined;
    const { epoch, host, place: id, path, alive_at: aliveAt } = row;
    return { epoch: Number(epoch), place: { id, path }, host: host ?? undefined, aliveAt };
  }

  async begin({ id, path }: StorePlace, host: string | undefined, now: number): Promise<number> {
    const [row] = await this.#reader.rows<{ epoch: string }>(
      `INSERT INTO mutirao.instance AS i (only_one, epoch, host, place, path, alive_at) VALUES (1, 1, $1, $2, $3, $4)
       ON CONFLICT (only_one) DO UPDATE SET epoch = i.epoch + 1, host = excluded.host, place = excluded.place,
         path = excluded.path, alive_at = excluded.alive_at
       RETURNING epoch`,
      [host ?? null, id, path, now],
    );
    return Number(row?.epoch);
  }

  async touch(now: number): Promise<void> {
    await this.#reader.rows('UPDATE mutirao.instance SET alive_at = greatest(alive_at, $1)', [now]);
  }
}

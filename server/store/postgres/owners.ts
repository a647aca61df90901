import { setTimeout as wait } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import type { Adopted, Registration, Renewal, ServerRecord } from '../../owners/store.ts';
import { StoreError } from '../errors.ts';
import type { BatchReader } from './batch-reader.ts';
import type { Reader } from './reader.ts';
import type { WorkingSet } from './working-set.ts';
import { applicationName, type Writer } from './writer.ts';

/** Between two looks whether a server of our name still lives, ms. */
const LOOK_EVERY_MS = 150;

const SERVERS = `SELECT s.uuid AS server, s.url, s.lease_until > clock_timestamp() AS live FROM mutirao.server s`;

/** $1, $2: this server and its incarnation, whose lease must not have run out either. */
const I_LIVE = `EXISTS (
  SELECT FROM mutirao.server m WHERE m.uuid = $1 AND m.incarnation = $2 AND m.lease_until > clock_timestamp())`;

/** Whoever is in the middle of a write holds its row of `server`, and is left alone for now. */
const ADOPT = `
  WITH dead AS (
    SELECT s.uuid FROM mutirao.server s
    WHERE s.uuid <> $1 AND s.lease_until <= clock_timestamp() AND ${I_LIVE}
      AND EXISTS (SELECT FROM mutirao.batch b WHERE b.owner = s.uuid AND b.finished_at IS NULL)
    FOR UPDATE OF s SKIP LOCKED
  ), chosen AS (
    SELECT b.id, b.owner FROM mutirao.batch b JOIN dead ON dead.uuid = b.owner
    WHERE b.finished_at IS NULL ORDER BY b.id LIMIT $3 FOR NO KEY UPDATE OF b SKIP LOCKED
  )
  UPDATE mutirao.batch b SET owner = $1, owner_epoch = b.owner_epoch + 1, adoption = $4 || ' ' || chosen.owner
  FROM chosen WHERE b.id = chosen.id`;

const ADOPT_ONE = `
  WITH dead AS (
    SELECT s.uuid FROM mutirao.server s JOIN mutirao.batch b ON b.owner = s.uuid
    WHERE b.uuid = $3 AND s.uuid <> $1 AND s.lease_until <= clock_timestamp() AND ${I_LIVE}
    FOR UPDATE OF s SKIP LOCKED
  )
  UPDATE mutirao.batch b SET owner = $1, owner_epoch = b.owner_epoch + 1
  FROM dead WHERE b.uuid = $3 AND b.owner = dead.uuid AND b.finished_at IS NOT NULL`;

interface AdoptedRow {
  readonly id: string;
  readonly uuid: string;
  readonly from: string;
  readonly state: string;
}

/** Who shares the database, and who owns what (see OwnerStore). Everything here is told by the clock of the database. */
export class Owners {
  readonly #reader: Reader;
  readonly #batches: BatchReader;
  readonly #writer: Writer;
  readonly #set: WorkingSet;
  /** Adopted by others, and not told yet. */
  readonly #lost = new Set<string>();
  /** An adoption of which it is not known how it ended. */
  #adoption: string | undefined;

  constructor(parts: { reader: Reader; batches: BatchReader; writer: Writer; set: WorkingSet }) {
    this.#reader = parts.reader;
    this.#batches = parts.batches;
    this.#writer = parts.writer;
    this.#set = parts.set;
  }

  /** @throws StoreError STORE_IN_USE */
  async register({ server, url, leaseMs }: Registration): Promise<void> {
    await this.#waitForNamesake(server);
    const rows = await this.#reader.rows<{ incarnation: string }>(
      `WITH me AS (
         INSERT INTO mutirao.server AS s (uuid, url, incarnation, session, group_no, lease_until)
         VALUES ($1, $2, 1, 1, 0, clock_timestamp() + $3 * interval '1 ms')
         ON CONFLICT (uuid) DO UPDATE
         SET url = excluded.url, incarnation = s.incarnation + 1, group_no = 0, lease_until = excluded.lease_until
         RETURNING incarnation
       ), taken_up AS (
         UPDATE mutirao.batch SET owner_epoch = owner_epoch + 1
         WHERE owner = $1 AND finished_at IS NULL AND EXISTS (SELECT FROM me)
       )
       SELECT incarnation, pg_notify('mutirao', 'servers ' || $1) FROM me`,
      [server, url, leaseMs],
    );
    this.#set.batches.server = server;
    await this.#writer.enrol({ server, incarnation: rows[0]?.incarnation ?? '' });
  }

  async renew(leaseMs: number): Promise<Renewal> {
    const { server, incarnation } = this.#name;
    const held = this.#set.batches.kept().map(({ uuid, ownerEpoch }) => ({ uuid, ownerEpoch }));
    const [row] = await this.#reader.rows<{ lost: string[] | null }>(
      `WITH renewed AS (
         UPDATE mutirao.server SET lease_until = clock_timestamp() + $3 * interval '1 ms'
         WHERE uuid = $1 AND incarnation = $2 RETURNING uuid
       )
       SELECT (
         SELECT array_agg(h.uuid) FROM unnest($4::text[], $5::int8[]) AS h (uuid, epoch)
         JOIN mutirao.batch b ON b.uuid = h.uuid AND (b.owner <> $1 OR b.owner_epoch <> h.epoch)
       ) AS lost FROM renewed`,
      [server, incarnation, leaseMs, held.map((one) => one.uuid), held.map((one) => one.ownerEpoch)],
    );
    if (row === undefined) return { known: false, lost: [] };
    const epochs = new Map(held.map(({ uuid, ownerEpoch }) => [uuid, ownerEpoch]));
    this.adopted(row.lost ?? []);
    // Not what was adopted back in the meantime.
    const gone = this.#set.batches
      .kept()
      .filter((one) => this.#lost.has(one.uuid) && one.ownerEpoch === epochs.get(one.uuid));
    this.#set.evict(gone);
    const lost = [...this.#lost];
    this.#lost.clear();
    return { known: true, lost };
  }

  /** Others own these by now. */
  adopted(batches: readonly string[]): void {
    for (const uuid of batches) this.#lost.add(uuid);
  }

  /** @returns what was adopted, and the batches that were being submitted, which are to be removed */
  async adopt(
    limit: number,
  ): Promise<{ readonly adopted: readonly Adopted[]; readonly open: readonly string[] }> {
    const { server, incarnation } = this.#name;
    // An answer that is lost on the way is asked for again, lest nobody knows of what was adopted.
    if (this.#adoption === undefined) {
      this.#adoption = uuidv7();
      await this.#reader.rows(ADOPT, [server, incarnation, limit, this.#adoption]);
    }
    const taken = await this.#reader.rows<AdoptedRow>(
      `SELECT b.id, b.uuid, b.state, split_part(b.adoption, ' ', 2) AS from FROM mutirao.batch b
       WHERE b.owner = $1 AND b.finished_at IS NULL AND split_part(b.adoption, ' ', 1) = $2`,
      [server, this.#adoption],
    );
    const isOpen = ({ state }: AdoptedRow): boolean => state === 'OPEN' || state === 'DROPPED';
    const ids = taken.filter((row) => !isOpen(row)).map((row) => row.id);
    if (taken.length === 0) {
      this.#adoption = undefined;
      return { adopted: [], open: [] };
    }
    const [records, leases] = await Promise.all([this.#batches.ofIds(ids), this.#batches.leasesOf(ids)]);
    this.#adoption = undefined;
    this.#set.batches.incomplete();
    for (const { uuid } of taken) this.#lost.delete(uuid);
    const from = new Map(taken.map((row) => [row.uuid, row.from]));
    await this.#tell(records.map(({ uuid }) => `batch ${server} ${uuid}`));
    return {
      adopted: records.map((batch) => ({
        batch,
        leases: leases.filter((lease) => lease.batch === batch.uuid),
        from: from.get(batch.uuid) ?? '',
      })),
      open: taken.filter(isOpen).map(({ uuid }) => uuid),
    };
  }

  async adoptBatch(batch: string): Promise<boolean> {
    const { server, incarnation } = this.#name;
    await this.#reader.rows(ADOPT_ONE, [server, incarnation, batch]);
    return (await this.ownerOf(batch))?.server === server;
  }

  async ownerOf(batch: string): Promise<ServerRecord | undefined> {
    const [row] = await this.#reader.rows<ServerRecord & Record<string, unknown>>(
      `${SERVERS} JOIN mutirao.batch b ON b.owner = s.uuid WHERE b.uuid = $1 AND b.state NOT IN ('OPEN', 'DROPPED')`,
      [batch],
    );
    return row;
  }

  async notOwned(batches: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#reader.rows<{ uuid: string }>(
      `SELECT h.uuid FROM unnest($1::text[]) AS h (uuid)
       LEFT JOIN mutirao.batch b ON b.uuid = h.uuid WHERE b.owner IS DISTINCT FROM $2`,
      [batches, this.#name.server],
    );
    return rows.map(({ uuid }) => uuid);
  }

  async servers(): Promise<readonly ServerRecord[]> {
    return this.#reader.rows<ServerRecord & Record<string, unknown>>(`${SERVERS} ORDER BY s.uuid`);
  }

  async release(): Promise<void> {
    const name = this.#writer.name;
    if (name === undefined) return;
    await this.#reader.rows(
      `UPDATE mutirao.server SET lease_until = '-infinity' WHERE uuid = $1 AND incarnation = $2`,
      [name.server, name.incarnation],
    );
    await this.#tell([`servers ${name.server}`]);
  }

  get #name(): { readonly server: string; readonly incarnation: string } {
    const { name } = this.#writer;
    if (name === undefined) throw new StoreError('NOT_OWNER', 'this server is not registered with its store');
    return name;
  }

  /** A hint: it does not matter when it is lost. */
  async #tell(payloads: readonly string[]): Promise<void> {
    if (payloads.length === 0) return;
    const text = `SELECT pg_notify('mutirao', payload) FROM unnest($1::text[]) AS payload`;
    await this.#reader.rows(text, [payloads]).catch(() => {});
  }

  /**
   * A run of a server of our name may have ended a moment ago, with its lease not run out: it is known by its connections. If
   * there are some, it lives as long as it renews its lease.
   */
  async #waitForNamesake(server: string): Promise<void> {
    let seen: string | undefined;
    for (;;) {
      const [other] = await this.#reader.rows<{ lease: string }>(
        `SELECT s.lease_until::text AS lease FROM mutirao.server s
         WHERE s.uuid = $1 AND s.lease_until > clock_timestamp()
           AND EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $2 AND datname = current_database())`,
        [server, applicationName(server)],
      );
      if (other === undefined) return;
      if (seen !== undefined && seen !== other.lease) {
        throw new StoreError(
          'STORE_IN_USE',
          `a server with the identity ${server} is running on this store already; stop that one, or start this one with a --data folder of its own`,
        );
      }
      seen = other.lease;
      await wait(LOOK_EVERY_MS);
    }
  }
}

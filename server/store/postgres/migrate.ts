import type { Client } from 'pg';
import { StoreError } from '../errors.ts';
import { MIGRATIONS } from './migrations.ts';

/** Any number: servers that start at once take the lock of that number in turn. */
const LOCK = 7_064_871_342;

/**
 * Brings the database into the newest form.
 * @throws StoreError STORE_TOO_NEW; what pg says
 */
export async function migrate(client: Client, location: string): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    const { rows } = await client.query<{ there: boolean }>(
      `SELECT to_regclass('mutirao.migration') IS NOT NULL AS there`,
    );
    if (rows[0]?.there !== true) {
      await client.query('CREATE SCHEMA IF NOT EXISTS mutirao');
      await client.query(
        'CREATE TABLE mutirao.migration (version int4 PRIMARY KEY, at timestamptz NOT NULL)',
      );
    }
    const version = await versionOf(client);
    if (version > MIGRATIONS.length) {
      throw new StoreError(
        'STORE_TOO_NEW',
        `${location} was written by a newer version (its format is ${version}, this version knows ${MIGRATIONS.length}); ` +
          'start the newer version, or choose another --store',
      );
    }
    for (const [i, step] of MIGRATIONS.entries()) {
      if (i < version) continue;
      await client.query(step);
      await client.query('INSERT INTO mutirao.migration VALUES ($1, clock_timestamp())', [i + 1]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function versionOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ version: number | null }>(
    'SELECT max(version) AS version FROM mutirao.migration',
  );
  return rows[0]?.version ?? 0;
}

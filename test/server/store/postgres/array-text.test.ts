import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberArray, textArray } from '../../../../server/store/postgres/array-text.ts';
import { testDatabase } from '../../../support/postgres.ts';

describe('arrays as text', () => {
  let client: pg.Client;

  beforeAll(async () => {
    client = new pg.Client({ connectionString: await testDatabase() });
    await client.connect();
  });
  afterAll(() => client.end());

  it('say to PostgreSQL what was meant, whatever stands in them; a NUL becomes a sign that can be stored', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'NULL', 'null', '{}', '"', '\\', '\\"', ',', ' a ', 'ü', '\n', '\0', '😀'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(text), { minLength: 1 }), async (values) => {
        const { rows } = await client.query('SELECT $1::text[] AS them', [textArray(values)]);
        expect(rows[0].them).toEqual(values.map((value) => value?.replaceAll('\0', '\u{FFFD}') ?? null));
      }),
    );
  });

  it('have numbers, fractions and nothing', async () => {
    const values = [1, -2.5, null, 8.64e15, 1e21];
    const { rows } = await client.query('SELECT $1::float8[] AS them', [numberArray(values)]);
    expect(rows[0].them).toEqual(values);
  });
});

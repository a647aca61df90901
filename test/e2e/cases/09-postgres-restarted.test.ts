import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LocalPostgres } from '../../../scripts/support/postgres.ts';
import { openPostgresStore } from '../../../server/store/index.ts';
import { expectExactlyOnce, Town } from '../support/town.ts';

const TOTAL = 2_000;
const PASSWORD = 'not-a-secret';

test.each(['stop', 'kill'] as const)(
  'case 9: PostgreSQL that is restarted under load (%s): nothing is lost, nothing comes twice, and it goes on by itself',
  { timeout: 120_000 },
  async (way) => {
    const postgres = await LocalPostgres.make();
    onTestFinished(() => postgres.remove());
    const address = await postgres.database('mutirao');
    const town = await Town.raise();
    await town.sink({ latencyMs: 40 });
    const server = await town.server({ env: { MUTIRAO_STORE: address } });
    await town.workers(2, server);
    const batch = await town.submit(server, TOTAL);
    await town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > TOTAL / 10);
    await postgres[way]();
    await postgres.start();
    const { counts, maybeSent } = await town.finished(batch);
    expect({ sent: counts.sent, maybeSent }).toEqual({ sent: TOTAL, maybeSent: 0 });
    expectExactlyOnce(await town.account(batch));

    await server.disconnect();
    expect(await server.process.stop('SIGTERM')).toBe(0);
    const store = openPostgresStore({ url: address });
    await store.start();
    const audit = await store.audit(batch.id);
    await store.stop();
    expect(audit).toMatchObject({ problems: [], counts: { sent: TOTAL } });

    const logs = readdirSync(join(server.data, 'logs')).map((name) =>
      readFileSync(join(server.data, 'logs', name), 'utf8'),
    );
    expect(logs.join('')).toContain('the store');
    expect(logs.join('') + server.process.said.join('')).not.toContain(PASSWORD);
  },
);

test('case 9: a PostgreSQL that is not there, or a wrong address, is told at the start without the password', async () => {
  const town = await Town.raise();
  const nowhere = `postgres://ada:${PASSWORD}@127.0.0.1:1/mutirao`;
  const cases: [string, RegExp][] = [
    [
      nowhere,
      /postgres:\/\/ada@127\.0\.0\.1:1\/mutirao cannot be opened \(.*\); check that PostgreSQL runs there/,
    ],
    [
      `mysql://ada:${PASSWORD}@127.0.0.1/x`,
      /MUTIRAO_STORE must be sqlite, or the address of a PostgreSQL database/,
    ],
  ];
  for (const [address, told] of cases) {
    const server = town.run(
      'server',
      'server/main.ts',
      ['--port', '0', '--data', join(town.folder, 'data')],
      {
        MUTIRAO_STORE: address,
      },
    );
    expect(await server.ended(20_000)).not.toBe(0);
    const said = server.said.join('\n');
    expect(said).toMatch(told);
    expect(said).not.toContain(PASSWORD);
  }
});

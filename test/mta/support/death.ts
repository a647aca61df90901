import { describe, expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { send } from './errand.ts';
import { people, sorted } from './lists.ts';
import type { Kind } from './mta.ts';
import { running } from './suite.ts';

/** A server that is killed while mails are on their way to it. */
export function survivesItsDeath(kind: Kind): void {
  describe('killed in mid-session', () => {
    const { harness, mta } = running(kind);

    test('every mail is accounted for, and none counts as sent that is not there', async () => {
      const all = people(2_000, 'killed');
      const task = await send(harness, mta(), { addresses: all, connections: 4 });
      await until('fifty are sent', () => task.visit.sent.length >= 50);
      await mta().kill();
      const { sent, returned, others } = await task.done();
      const known = [...sent, ...returned, ...others.map(({ address }) => address)];
      expect(sorted(known)).toEqual(sorted(all));
      expect(returned.length).toBeGreaterThan(0);
      // Some may have been answered with a 451: its processes die one after the other.
      for (const other of others) {
        expect(other.outcome).toBe(other.phase === 'sent-unconfirmed' ? 'unknown' : 'deferred');
      }

      await mta().start();
      const there = new Set((await mta().settled()).map((mail) => mail.to));
      expect(sent.filter((address) => !there.has(address))).toEqual([]);
      const may = new Set([...sent, ...others.filter((o) => o.outcome === 'unknown').map((o) => o.address)]);
      expect([...there].filter((address) => !may.has(address))).toEqual([]);

      harness.log.lines.length = 0;
      const again = await send(harness, mta(), { addresses: people(20, 'after') });
      expect(await again.done()).toMatchObject({ others: [], returned: [] });
    });
  });
}

import { describe, expect, test } from 'vitest';
import { send } from './errand.ts';
import { addresses, people, sorted } from './lists.ts';
import type { Kind, Wishes } from './mta.ts';
import { running } from './suite.ts';

const IN_DOUBT = { outcome: 'unknown', phase: 'sent-unconfirmed' };

/** Mail servers that are asked for more than they allow, or die. */
export function standsUpToLimits(kind: Kind): void {
  const knows = (limit: keyof Wishes): boolean => kind.limits.includes(limit);

  if (knows('connections'))
    describe('with two connections per client', () => {
      const { harness, mta } = running(kind, { connections: 2 });

      test('all mails arrive once, whatever the other connections were told', async () => {
        const all = people(100, 'limited');
        const task = await send(harness, mta(), { addresses: all, connections: 8 });
        const { sent, returned, others } = await task.done();
        for (const other of others) expect(other).toMatchObject({ outcome: 'deferred', fault: 'relay' });
        expect(sorted([...sent, ...returned, ...others.map(({ address }) => address)])).toEqual(sorted(all));
        expect({ others, returned }).toEqual({ others: [], returned: [] });
        expect(addresses(await mta().settled())).toEqual(sorted(sent));
      });
    });

  if (knows('messages'))
    describe('with ten mails per connection', () => {
      const { harness, mta } = running(kind, { messages: 10 });

      test('the others go over further connections', async () => {
        const all = people(100, 'limited');
        const task = await send(harness, mta(), { addresses: all, connections: 4 });
        const { sent, returned, others } = await task.done();
        for (const other of others) expect(other).toMatchObject({ outcome: 'deferred', fault: 'relay' });
        expect(sorted([...sent, ...returned, ...others.map(({ address }) => address)])).toEqual(sorted(all));
        expect({ others, returned }).toEqual({ others: [], returned: [] });
        expect(addresses(await mta().settled())).toEqual(sorted(sent));
      });
    });

  describe('with nothing but dead addresses for a while', () => {
    const { harness, mta } = running(kind, { without: ['CHUNKING'] });

    test('each is told its own, and those behind them get their mail', async () => {
      const dead = people(60, 'no');
      const good = people(10, 'good');
      const task = await send(harness, mta(), { addresses: [...dead, ...good], connections: 2 });
      const { sent, returned, others } = await task.done();
      expect({ returned, others: others.filter((other) => other.outcome !== 'failed') }).toEqual({
        returned: [],
        others: [],
      });
      expect(sorted(others.map(({ address }) => address))).toEqual(sorted(dead));
      expect(sorted(sent)).toEqual(sorted(good));
      expect(addresses(await mta().settled())).toEqual(sorted(good));
    });
  });

  if (kind.extensions.includes('CHUNKING'))
    describe('with nothing but dead addresses for a while, over BDAT', () => {
      const { harness, mta } = running(kind);

      // Whole mails are on their way when it breaks the connection off: Exim so that its last reply may be lost, too.
      test('none is told what is not so, and those behind them get their mail or are handed back', async () => {
        const dead = people(60, 'no');
        const good = people(10, 'good');
        const task = await send(harness, mta(), { addresses: [...dead, ...good], connections: 2 });
        const { sent, returned, others } = await task.done();
        for (const { address, outcome, phase } of others) {
          if (good.includes(address) || outcome !== 'failed') expect({ outcome, phase }).toEqual(IN_DOUBT);
        }
        expect(sorted([...sent, ...returned, ...others.map(({ address }) => address)])).toEqual(
          sorted([...dead, ...good]),
        );
        expect(dead.filter((address) => sent.includes(address))).toEqual([]);
        expect(addresses(await mta().settled())).toEqual(sorted(sent));
      });
    });
}

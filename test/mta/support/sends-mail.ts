import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { send } from './errand.ts';
import { addresses, people, sorted, to } from './lists.ts';
import { BODY, messageOf, SPECIAL } from './messages.ts';
import { DOMAIN, type Kind, MAX_MESSAGE_BYTES, type Wishes } from './mta.ts';
import { running } from './suite.ts';

/** How mails travel, by what the server offers. */
const WAYS: readonly { readonly way: string; readonly needs: string | undefined; readonly wishes: Wishes }[] =
  [
    { way: 'BDAT', needs: 'CHUNKING', wishes: {} },
    { way: 'DATA, pipelined', needs: 'PIPELINING', wishes: { without: ['CHUNKING'] } },
    {
      way: 'DATA, one command at a time',
      needs: undefined,
      wishes: { without: ['CHUNKING', 'PIPELINING'] },
    },
  ];

/** What must hold with every mail server, in every way in which it takes mail. */
export function sendsMail(kind: Kind): void {
  const ways = WAYS.filter(({ needs }) => needs === undefined || kind.extensions.includes(needs));
  describe.each(ways)('over $way', ({ way, wishes }) => {
    const { harness, mta } = running(kind, wishes);

    test('200 mails over four connections arrive once each, each its own', async () => {
      const all = people(200, 'each');
      const task = await send(harness, mta(), { addresses: all, connections: 4 });
      const report = await task.done();
      expect(report).toEqual({ sent: expect.anything(), returned: [], others: [] });
      expect(sorted(report.sent)).toEqual(sorted(all));
      const mails = to(await mta().settled(), 'each');
      expect(addresses(mails)).toEqual(sorted(all));
      for (const mail of mails) {
        expect(mail.from).toBe('news@example.org');
        const text = mail.content.toString();
        expect(text).toContain(`\nSubject: Hello ${mail.to}\n`);
        expect(text).toContain(`\n\nDear ${mail.to},\nwelcome.\n`);
      }
      expect(mta().connections()).toBeLessThanOrEqual(4);
      expect(mta().connections()).toBeGreaterThan(0);
      await harness.clean();
      if (way === 'BDAT') await until('it tells of BDAT', () => mta().hasTakenChunks());
      expect(mta().hasTakenChunks()).toBe(way === 'BDAT');
    });

    test('every byte arrives', async () => {
      const bodies = new Map(
        [...SPECIAL, ...fc.sample(BODY, 60)].map((body, i) => [`bytes${i}@${DOMAIN}`, messageOf(body)]),
      );
      const task = await send(harness, mta(), {
        addresses: [...bodies.keys()],
        bytes: (address) => bodies.get(address) as Buffer,
      });
      expect(await task.done()).toMatchObject({ others: [], returned: [] });
      const mails = to(await mta().settled(), 'bytes');
      expect(addresses(mails)).toEqual(sorted([...bodies.keys()]));
      for (const mail of mails) {
        const expected = bodies.get(mail.to)?.toString() ?? '';
        const ended = expected.endsWith('\r\n') ? expected : `${expected}\r\n`;
        const text = mail.content.toString();
        expect(text.slice(text.indexOf('From: News'))).toBe(ended.replaceAll('\r\n', '\n'));
      }
    });

    test('who is refused or put off among others is told so, and the others get their mail over the same connection', async () => {
      const before = mta().connections();
      const names = [
        'good',
        'no',
        'good',
        'later',
        'no',
        'no',
        'good',
        'later',
        'later',
        'no',
        'good',
        'good',
      ];
      const all = names.map((name, i) => `${name}-${i}@${DOMAIN}`);
      const task = await send(harness, mta(), { addresses: all, connections: 1 });
      const { sent, others } = await task.done();
      const good = all.filter((address) => address.startsWith('good'));
      expect(sorted(sent)).toEqual(sorted(good));
      expect(new Map(others.map((other) => [other.address, other]))).toEqual(
        new Map(
          all
            .filter((address) => !good.includes(address))
            .map((address) => [
              address,
              {
                address,
                stage: 'rcpt',
                phase: 'replied',
                reply: expect.stringMatching(address.startsWith('no') ? /^550 5\.1\.1/ : /^450 4\.2\.1/),
                outcome: address.startsWith('no') ? 'failed' : 'deferred',
                fault: 'recipient',
                policy: false,
                chargeAttempt: true,
              },
            ]),
        ),
      );
      const mails = await mta().settled();
      expect(addresses(to(mails, 'good'))).toEqual(sorted(good));
      expect([...to(mails, 'no'), ...to(mails, 'later')]).toEqual([]);
      expect(mta().connections() - before).toBe(1);
    });

    test('a message that is too large fails, alone, and says nothing of the relay', async () => {
      const all = ['small1', 'large', 'small2'].map((name) => `${name}@${DOMAIN}`);
      const large = messageOf(
        'x'
          .repeat(70)
          .concat('\r\n')
          .repeat(MAX_MESSAGE_BYTES / 70),
      );
      const task = await send(harness, mta(), {
        addresses: all,
        connections: 1,
        bytes: (address) => (address.startsWith('large') ? large : messageOf('small\r\n')),
      });
      const { sent, others } = await task.done();
      expect(sent).toEqual([all[0], all[2]]);
      expect(others).toEqual([
        expect.objectContaining({ address: all[1], outcome: 'failed', fault: 'recipient' }),
      ]);
      expect(addresses(to(await mta().settled(), 'small'))).toEqual([all[0], all[2]]);
    });
  });
}

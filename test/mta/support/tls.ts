import { describe, expect, test } from 'vitest';
import { send } from './errand.ts';
import { addresses, people, sorted, to } from './lists.ts';
import { type Kind, PASS, USER } from './mta.ts';
import { running } from './suite.ts';

/** A server with a certificate that nobody vouches for, and users. */
export function speaksTls(kind: Kind): void {
  describe('with STARTTLS and AUTH', () => {
    const { harness, mta } = running(kind);

    test('mails go encrypted, by a user who has logged in', async () => {
      const all = people(50, 'tls');
      const relay = { STARTTLS: 'ALWAYS', VERIFY: false, USER, PASS } as const;
      const task = await send(harness, mta(), { addresses: all, relay });
      expect(await task.done()).toMatchObject({ returned: [], others: [] });
      const mails = to(await mta().settled(), 'tls');
      expect(addresses(mails)).toEqual(sorted(all));
      for (const mail of mails) expect(mail.content.toString()).toMatch(/\n\s+(\(.*\)\s+)*.*with esmtpsa/i);
    });

    test.each([
      ['a certificate that nobody vouches for', 'tls', { STARTTLS: 'AUTO' }],
      ['a wrong password', 'auth', { STARTTLS: 'AUTO', VERIFY: false, USER, PASS: 'wrong' }],
    ] as const)('%s stops everything, and nobody is to blame for it', async (_what, stage, relay) => {
      const all = people(50, `stopped-${stage}`);
      const task = await send(harness, mta(), { addresses: all, relay });
      const { sent, returned, others } = await task.done();
      expect(sent).toEqual([]);
      expect(returned.length + others.length).toBe(50);
      for (const other of others) {
        expect(other).toMatchObject({ stage, outcome: 'deferred', fault: 'relay', chargeAttempt: false });
      }
      expect(to(await mta().settled(), 'stopped')).toEqual([]);
    });
  });
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, isAccepted, type SmtpFact, type SmtpPhase, type SmtpStage } from '../../mail/index.ts';

const BEFORE_RCPT: SmtpStage[] = ['connect', 'greeting', 'ehlo', 'tls', 'auth', 'mail'];
const ABOUT_THE_MAIL: SmtpStage[] = ['rcpt', 'data', 'dot'];
const PHASES: SmtpPhase[] = ['not-sent', 'sent-unconfirmed', 'replied'];

const replied = (stage: SmtpStage, reply: string) => classify({ stage, phase: 'replied', reply });

const RELAY_FAULT = { outcome: 'deferred', fault: 'relay', policy: false, chargeAttempt: false };
const TEMPORARY = { outcome: 'deferred', fault: 'recipient', policy: false, chargeAttempt: true };
const PERMANENT = { outcome: 'failed', fault: 'recipient', policy: false, chargeAttempt: true };

describe('the end of a transaction', () => {
  it('is sent on a 2xx after the dot, whatever else the reply says', () => {
    for (const reply of [
      '250 2.0.0 queued as 1A2B',
      '250',
      '250-first\r\n250 last',
      '250 5.7.1 odd',
      '251 x',
    ]) {
      expect(replied('dot', reply)).toMatchObject({ outcome: 'sent', fault: 'none', policy: false });
    }
  });

  it('is unknown when the dot was written and nothing came back', () => {
    const fact: SmtpFact = { stage: 'dot', phase: 'sent-unconfirmed', error: 'read ECONNRESET' };
    expect(classify(fact)).toEqual({
      outcome: 'unknown',
      fault: 'relay',
      policy: false,
      chargeAttempt: true,
      code: 'sent-unconfirmed',
      reply: 'read ECONNRESET',
    });
  });

  it("is unknown and nobody's fault when our own process ended while the mail was under way", () => {
    expect(classify({ stage: 'local', phase: 'sent-unconfirmed', error: 'the worker ended' })).toMatchObject({
      outcome: 'unknown',
      fault: 'none',
      chargeAttempt: false,
    });
  });

  it.each([...BEFORE_RCPT, ...ABOUT_THE_MAIL])(
    'is the fault of the relay when the connection fails at %s',
    (stage) => {
      const result = classify({ stage, phase: 'not-sent', error: 'connect ECONNREFUSED' });
      expect(result).toMatchObject({ ...RELAY_FAULT, code: 'not-sent', reply: 'connect ECONNREFUSED' });
    },
  );

  it.each(BEFORE_RCPT)('is the fault of the relay whatever it replies at %s', (stage) => {
    for (const reply of [
      '554 5.7.1 go away',
      '535 5.7.8 wrong password',
      '451 4.3.0 later',
      '220 x',
      'SSH-2.0',
    ]) {
      expect(replied(stage, reply)).toMatchObject(RELAY_FAULT);
    }
  });

  it.each(ABOUT_THE_MAIL)('is the fault of the relay on a 421 at %s', (stage) => {
    expect(replied(stage, '421 4.7.0 closing')).toMatchObject({ ...RELAY_FAULT, code: '421 4.7.0' });
    expect(replied(stage, '421')).toMatchObject(RELAY_FAULT);
  });

  it.each(ABOUT_THE_MAIL)('is deferred on a 4xx at %s and costs the recipient an attempt', (stage) => {
    expect(replied(stage, '450 4.2.1 mailbox busy')).toMatchObject({ ...TEMPORARY, code: '450 4.2.1' });
    expect(replied(stage, '451 4.7.1 greylisted')).toMatchObject(TEMPORARY);
  });

  it.each(ABOUT_THE_MAIL)('is failed on a 5xx at %s', (stage) => {
    expect(replied(stage, '550 5.1.1 no such user')).toMatchObject({ ...PERMANENT, code: '550 5.1.1' });
    expect(replied(stage, '554 no valid recipients')).toMatchObject({ ...PERMANENT, code: '554' });
  });

  it.each(ABOUT_THE_MAIL)('is a refusal by policy on a 5xx with x.7.x at %s', (stage) => {
    expect(replied(stage, '550-5.7.1 blocked\r\n550 5.7.1 see https://example.com')).toMatchObject({
      ...PERMANENT,
      policy: true,
    });
  });

  it.each(ABOUT_THE_MAIL)('is temporary when basic and enhanced code disagree at %s', (stage) => {
    expect(replied(stage, '550 4.2.2 mailbox full')).toMatchObject(TEMPORARY);
    expect(replied(stage, '450 5.1.1 no such user')).toMatchObject(TEMPORARY);
    expect(replied(stage, '550 4.7.1 policy, for now')).toMatchObject(TEMPORARY);
  });

  it.each(ABOUT_THE_MAIL)('is temporary when the reply at %s is not one', (stage) => {
    for (const reply of [
      '',
      'hello',
      '5',
      '55',
      '5500 x',
      '650 x',
      '550-a\r\n250 b',
      '550x',
      '\0',
      '354 go on',
    ]) {
      expect(replied(stage, reply)).toMatchObject(TEMPORARY);
    }
    expect(replied(stage, 'hello').code).toBe('unreadable');
  });

  it('is temporary when DATA itself is refused for the conversation, not for this mail', () => {
    for (const code of [500, 501, 502, 503, 504])
      expect(replied('data', `${code} sequence`)).toMatchObject(TEMPORARY);
    for (const code of [550, 552, 554]) expect(replied('data', `${code} refused`)).toMatchObject(PERMANENT);
  });

  it('is failed without fault of the relay when we refused it ourselves', () => {
    expect(classify({ stage: 'local', phase: 'not-sent', error: 'the relay lacks SMTPUTF8' })).toEqual({
      outcome: 'failed',
      fault: 'recipient',
      policy: false,
      chargeAttempt: false,
      code: 'local',
      reply: 'the relay lacks SMTPUTF8',
    });
  });

  it('reads a reply before the dot the same in both phases that can tell it', () => {
    for (const stage of [...BEFORE_RCPT, 'rcpt', 'data'] as const) {
      for (const reply of ['550 5.1.1 x', '450 x', '421 x', 'x', '550 5.7.1 x']) {
        expect(classify({ stage, phase: 'not-sent', reply })).toEqual(
          classify({ stage, phase: 'replied', reply }),
        );
      }
    }
  });
});

describe('for any fact whatever', () => {
  const digits = fc.constantFrom('2', '3', '4', '5', '421', '250', '550');
  const replyLike = fc
    .tuple(
      digits,
      fc.nat(99),
      fc.constantFrom(' ', '-', ''),
      fc.constantFrom('', '2.0.0 ', '4.7.1 ', '5.7.1 ', '5.1.1 '),
      fc.string(),
    )
    .map(([digit, rest, separator, enhanced, text]) =>
      `${digit}${String(rest).padStart(2, '0')}`.slice(0, 3).concat(separator, enhanced, text),
    );
  const text = fc.oneof(
    replyLike,
    fc.array(replyLike).map((lines) => lines.join('\r\n')),
    fc.string({ unit: 'binary' }),
  );
  const fact = fc.record(
    {
      stage: fc.constantFrom<SmtpStage>(...BEFORE_RCPT, ...ABOUT_THE_MAIL, 'local'),
      phase: fc.constantFrom(...PHASES),
      reply: text,
      error: fc.string(),
    },
    { requiredKeys: ['stage', 'phase'] },
  );
  const always = (check: (given: SmtpFact) => void) => fc.assert(fc.property(fact, check), { numRuns: 3000 });

  it('there is an answer, and it is bounded and on one line', () => {
    always((given) => {
      const result = classify(given);
      expect(result.reply.length).toBeLessThanOrEqual(512);
      expect(result.reply).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
    });
  });

  it('nothing is sent without a 2xx after the dot, and with one it is', () => {
    always((given) => {
      const accepted = given.stage === 'dot' && given.phase === 'replied' && /^2/.test(classify(given).code);
      expect(classify(given).outcome === 'sent').toBe(accepted);
    });
  });

  it('nothing is failed without a 5xx to RCPT, DATA or the dot, or by ourselves', () => {
    always((given) => {
      const result = classify(given);
      if (result.outcome !== 'failed') return;
      if (given.stage !== 'local') expect(result.code).toMatch(/^5\d\d( 5\.|$)/);
      expect(BEFORE_RCPT).not.toContain(given.stage);
    });
  });

  it('unknown is exactly: the dot was written and no reply came', () => {
    always((given) => {
      expect(classify(given).outcome === 'unknown').toBe(given.phase === 'sent-unconfirmed');
    });
  });

  it('a deferral is charged to the recipient or to the relay, never to both', () => {
    always((given) => {
      const { outcome, fault, chargeAttempt } = classify(given);
      if (outcome === 'deferred') expect(chargeAttempt).toBe(fault === 'recipient');
    });
  });

  it('is told to be an acceptance by the short way exactly where it is sent', () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(
          fc.constantFrom('2', '4', '5', '1', ''),
          fc.stringMatching(/^[0-9]{1,3}$/),
          fc.constantFrom(' ', '-', '', '\r\n', ' 5.7.1 ', '\r\n250 ', '\u2028'),
          fc.string(),
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(
        fc.constantFrom<SmtpStage>('mail', 'rcpt', 'data', 'dot', 'local'),
        fc.constantFrom(...PHASES),
        fc.option(text, { nil: undefined }),
        (stage, phase, reply) => {
          const fact: SmtpFact = { stage, phase, reply };
          expect(isAccepted(fact)).toBe(classify(fact).outcome === 'sent');
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

import { expect, test } from 'vitest';
import { factOfFailure, factOfSetup } from '../../../worker/smtp/stage.ts';

const error = (fields: object): Error => Object.assign(new Error('failed'), fields);

test('a loss before the 354 is not-sent, a loss after the last byte is sent-unconfirmed', () => {
  const loss = error({ code: 'ECONNECTION', command: 'CONN' });
  expect(factOfFailure(loss, 'envelope')).toMatchObject({ stage: 'mail', phase: 'not-sent' });
  expect(factOfFailure(loss, 'body')).toMatchObject({ stage: 'data', phase: 'not-sent' });
  expect(factOfFailure(loss, 'dot')).toMatchObject({ stage: 'dot', phase: 'sent-unconfirmed' });
});

test('half a reply after the dot does not confirm anything', () => {
  const half = error({ code: 'ECONNECTION', command: 'CONN', response: '451 I was abou' });
  expect(factOfFailure(half, 'dot')).toMatchObject({ stage: 'dot', phase: 'sent-unconfirmed' });
});

test('replies go with the command they answer', () => {
  const reply = (command: string, response: string) => error({ code: 'EENVELOPE', command, response });
  expect(factOfFailure(reply('MAIL FROM', '451 later'), 'envelope').stage).toBe('mail');
  expect(factOfFailure(reply('RCPT TO', '550 no'), 'envelope').stage).toBe('rcpt');
  expect(factOfFailure(reply('DATA', '554 no'), 'envelope').stage).toBe('data');
  expect(factOfFailure(reply('DATA', '554 no'), 'dot').stage).toBe('dot');
});

test('what the library refuses before a byte is sent is ours', () => {
  const tooLarge = error({ code: 'EMESSAGE', command: 'MAIL FROM' });
  expect(factOfFailure(tooLarge, 'envelope')).toMatchObject({ stage: 'local', phase: 'not-sent' });
});

test('a failed set-up names its step', () => {
  expect(factOfSetup(error({ code: 'ESOCKET' }), 'connect').stage).toBe('connect');
  expect(factOfSetup(error({ code: 'ETLS', command: 'STARTTLS' }), 'ehlo').stage).toBe('tls');
  expect(
    factOfSetup(error({ code: 'ESOCKET', originalCode: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'connect').stage,
  ).toBe('tls');
  expect(factOfSetup(error({ code: 'EAUTH', response: '535 no' }), 'auth')).toMatchObject({
    stage: 'auth',
    reply: '535 no',
  });
});

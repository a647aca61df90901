import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, describe, expect, test } from 'vitest';
import type { Relay } from '../../../protocol/index.ts';
import { type Sink, startSink } from '../../../sink/sink.ts';
import { NodemailerSession } from '../../../worker/smtp/session.ts';
import { setUp } from '../../../worker/smtp/set-up.ts';
import { offersBy } from '../../../worker/smtp/take-over.ts';
import { DEFAULT_TIMES, type SmtpTimes } from '../../../worker/smtp/times.ts';
import { type Envelope, SessionError, type TransactionFact } from '../../../worker/tasks/contract.ts';
import { type ScriptedSmtp, type SmtpScript, startSmtpScript } from '../support/smtp-script.ts';
import { until } from '../support/until.ts';

const MESSAGE = Buffer.from(
  'Message-ID: <1@example.org>\r\nSubject: Hi\r\n\r\n.one dot\r\n..two\r\n.\r\nend\r\n',
);
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function sinkOf(options: Parameters<typeof startSink>[0] = {}): Promise<Sink> {
  const sink = await startSink({ port: 0, ...options });
  cleanups.push(() => sink.stop());
  return sink;
}

async function scriptOf(script: SmtpScript): Promise<ScriptedSmtp> {
  const smtp = await startSmtpScript(script);
  cleanups.push(() => smtp.stop());
  return smtp;
}

const relayOf = (port: number, changes: Partial<Relay> = {}): Relay => ({
  NAME: 'r',
  HOST: '127.0.0.1',
  PORT: port,
  SECURE: false,
  ...changes,
});

async function sessionWith(relay: Relay, times: Partial<SmtpTimes> = {}): Promise<NodemailerSession> {
  const within = { ...DEFAULT_TIMES, ...times };
  const connection = await setUp(relay, { times: within });
  const session = new NodemailerSession(connection, offersBy(connection), within);
  cleanups.push(() => session.close());
  return session;
}

const failure = async (relay: Relay, times: Partial<SmtpTimes> = {}): Promise<TransactionFact> =>
  sessionWith(relay, times).then(
    () => expect.fail('a session was opened'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(SessionError);
      return (error as SessionError).fact;
    },
  );

const send = (session: NodemailerSession, envelope: Envelope, message: Buffer): Promise<TransactionFact> =>
  new Promise((resolve) => session.send(envelope, message, (fact) => resolve(fact as TransactionFact)));

const to = (address: string) => ({ from: 'news@example.org', to: address });

describe('transactions', () => {
  test('many messages go over one session, byte for byte', async () => {
    const sink = await sinkOf({ keepMessages: true });
    const session = await sessionWith(relayOf(sink.port));
    for (let i = 0; i < 3; i++) {
      expect(await send(session, to(`u${i}@example.net`), MESSAGE)).toMatchObject({
        stage: 'dot',
        phase: 'replied',
      });
      expect(await session.ready()).toBe(true);
    }
    expect(sink.messages.map((message) => message.content.toString())).toEqual(
      Array.from({ length: 3 }, () => MESSAGE.toString()),
    );
    expect(sink.report().connections).toBe(1);
  });

  test('a message larger than any buffer arrives whole', async () => {
    const sink = await sinkOf({ keepMessages: true });
    const session = await sessionWith(relayOf(sink.port));
    const large = Buffer.concat([MESSAGE, Buffer.alloc(3_000_000, '0123456789\r\n')]);
    const whole = Buffer.concat([large.subarray(0, large.lastIndexOf('\r\n') + 2)]);
    expect(await send(session, to('u@example.net'), whole)).toMatchObject({ stage: 'dot', phase: 'replied' });
    expect(sink.messages[0]?.content.equals(whole)).toBe(true);
  });

  test.each([
    ['4xx-a@example.net', 'rcpt', '451'],
    ['5xx-a@example.net', 'rcpt', '550'],
    ['dot552-a@example.net', 'dot', '552'],
  ])('after %s the session is cleared and used on', async (address, stage, code) => {
    const sink = await sinkOf();
    const session = await sessionWith(relayOf(sink.port));
    const fact = await send(session, to(address), MESSAGE);
    expect(fact).toMatchObject({ stage, phase: 'replied' });
    expect(fact.reply).toMatch(new RegExp(`^${code}`));
    expect(await session.ready()).toBe(true);
    expect(await send(session, to('ok@example.net'), MESSAGE)).toMatchObject({
      stage: 'dot',
      phase: 'replied',
    });
    expect(sink.report()).toMatchObject({ connections: 1, messages: 1 });
  });

  test('a refused recipient is followed by RSET, a refused message is not', async () => {
    const smtp = await scriptOf({
      extensions: [],
      on: (line) => (line === 'RCPT TO:<no@example.net>' ? '550 5.1.1 no' : undefined),
    });
    const session = await sessionWith(relayOf(smtp.port));
    await send(session, to('no@example.net'), MESSAGE);
    await session.ready();
    expect(smtp.commands.at(-1)).toBe('RSET');
    await send(session, to('yes@example.net'), MESSAGE);
    await session.ready();
    expect(smtp.commands.at(-1)).toBe('.');
  });

  test('a 421 ends the session', async () => {
    const sink = await sinkOf();
    const session = await sessionWith(relayOf(sink.port));
    const fact = await send(session, to('421-a@example.net'), MESSAGE);
    expect(fact.reply).toMatch(/^421/);
    expect(await session.ready()).toBe(false);
    expect(session.isUsable).toBe(false);
  });

  test('a 421 to the dot is a reply to the dot', async () => {
    const smtp = await scriptOf({ on: (line) => (line === '.' ? '421 closing' : undefined) });
    const session = await sessionWith(relayOf(smtp.port));
    expect(await send(session, to('a@example.net'), MESSAGE)).toMatchObject({
      stage: 'dot',
      phase: 'replied',
      reply: '421 closing',
    });
  });

  test.each([
    ['MAIL FROM:<news@example.org>', [], 'not-sent'],
    ['RCPT TO:<a@example.net>', [], 'not-sent'],
    ['DATA', [], 'not-sent'],
    ['DATA', ['PIPELINING'], 'not-sent'],
    ['.', [], 'sent-unconfirmed'],
    ['.', ['PIPELINING'], 'sent-unconfirmed'],
  ])('a connection that breaks at %s (%j) leaves the mail %s', async (when, extensions, phase) => {
    const command = when.split(' ')[0] as string;
    const smtp = await scriptOf({
      extensions,
      on: (line) => (line.startsWith(command) ? 'drop' : undefined),
    });
    const session = await sessionWith(relayOf(smtp.port));
    const fact = await send(session, to('a@example.net'), MESSAGE);
    expect(fact.phase).toBe(phase);
    expect(fact.reply).toBeUndefined();
    expect(fact.error).toBeTruthy();
    expect(await session.ready()).toBe(false);
  });

  test('a large message whose connection breaks half way was not sent', async () => {
    const smtp = await scriptOf({ cutAfter: 100_000 });
    const session = await sessionWith(relayOf(smtp.port));
    const large = Buffer.concat([
      Buffer.from('Subject: x\r\n\r\n'),
      Buffer.alloc(20_000_000, 'xxxxxxxx\r\n'),
    ]);
    expect(await send(session, to('a@example.net'), large)).toMatchObject({
      stage: 'data',
      phase: 'not-sent',
    });
  });

  test.each([
    ['MAIL', 'not-sent', { envelopeMs: 60 }],
    ['.', 'sent-unconfirmed', { dotMs: 60 }],
    ['.', 'sent-unconfirmed', { transactionMs: 60 }],
  ])('a relay that never answers %s is given up: %s', async (when, phase, times) => {
    const smtp = await scriptOf({ on: (line) => (line.startsWith(when) ? '' : undefined) });
    const session = await sessionWith(relayOf(smtp.port), times);
    const fact = await send(session, to('a@example.net'), MESSAGE);
    expect(fact).toMatchObject({ phase, error: expect.stringMatching(/no reply within/) });
    expect(session.isUsable).toBe(false);
    await until('the connection is closed', () => smtp.open() === 0);
  });

  test('an aborted transaction ends with what is known of it', async () => {
    const smtp = await scriptOf({ on: (line) => (line === '.' ? '' : undefined) });
    const session = await sessionWith(relayOf(smtp.port));
    const sending = send(session, to('a@example.net'), MESSAGE);
    await until('the dot came', () => smtp.commands.includes('.'));
    session.abort('the worker stops');
    expect(await sending).toEqual({ stage: 'dot', phase: 'sent-unconfirmed', error: 'the worker stops' });
  });

  test('a relay that ends an idle session is noticed', async () => {
    const sink = await sinkOf();
    const session = await sessionWith(relayOf(sink.port));
    await sink.down();
    await until('it is noticed', () => !session.isUsable);
    expect(await session.ready()).toBe(false);
  });

  test('a reply that is no reply is kept as it came', async () => {
    const sink = await sinkOf();
    const session = await sessionWith(relayOf(sink.port));
    expect(await send(session, to('garbage-a@example.net'), MESSAGE)).toMatchObject({
      stage: 'rcpt',
      reply: expect.stringMatching(/poems/),
    });
  });

  test('an address beyond ASCII goes out only where SMTPUTF8 is offered', async () => {
    const without = await sinkOf({ smtpUtf8: false });
    const refusing = await sessionWith(relayOf(without.port));
    expect(await send(refusing, to('joão@example.net'), MESSAGE)).toMatchObject({
      stage: 'local',
      error: expect.stringMatching(/SMTPUTF8/),
    });
    expect(await refusing.ready()).toBe(true);
    expect(without.report().refused).toBe(0);
    const offering = await sinkOf();
    const session = await sessionWith(relayOf(offering.port));
    expect(await send(session, to('joão@example.net'), MESSAGE)).toMatchObject({
      stage: 'dot',
      phase: 'replied',
    });
  });

  test('a message larger than the relay takes is refused here', async () => {
    const sink = await sinkOf({ maxMessageBytes: 50 });
    const session = await sessionWith(relayOf(sink.port));
    expect(await send(session, to('a@example.net'), MESSAGE)).toMatchObject({ stage: 'local' });
    expect(await session.ready()).toBe(true);
  });

  test('close says QUIT and waits until the connection is closed', async () => {
    const smtp = await scriptOf({});
    const session = await sessionWith(relayOf(smtp.port));
    await session.close();
    expect(smtp.commands.at(-1)).toBe('QUIT');
    await session.close();
  });

  test('close does not wait for a relay that does not answer QUIT', async () => {
    const smtp = await scriptOf({ on: (line) => (line === 'QUIT' ? '' : undefined) });
    const session = await sessionWith(relayOf(smtp.port), { quitMs: 30 });
    await session.close();
    expect(session.isUsable).toBe(false);
  });
});

describe('opening a session', () => {
  test('nobody listens', async () => {
    const smtp = await startSmtpScript();
    await smtp.stop();
    expect(await failure(relayOf(smtp.port))).toMatchObject({ stage: 'connect', phase: 'not-sent' });
  });

  test.each([
    ['greeting', { greeting: '554 5.3.2 go away' }, '554 5.3.2 go away'],
    ['greeting', { greeting: '421 4.3.2 busy' }, '421 4.3.2 busy'],
    ['ehlo', { on: (line: string) => (/^(EHLO|HELO)/.test(line) ? '550 never' : undefined) }, '550 never'],
    ['ehlo', { on: (line: string) => (line.startsWith('EHLO') ? 'drop' : undefined) }, undefined],
  ])('refused at %s', async (stage, script, reply) => {
    const smtp = await scriptOf(script);
    const fact = await failure(relayOf(smtp.port));
    expect(fact.stage).toBe(stage);
    expect(fact.reply).toBe(reply);
  });

  test('a relay that says nothing is given up', async () => {
    const smtp = await scriptOf({ greeting: '' });
    expect(await failure(relayOf(smtp.port), { greetingMs: 50 })).toMatchObject({ stage: 'greeting' });
    await until('the connection is closed', () => smtp.open() === 0);
  });

  test('STARTTLS that is demanded and not offered', async () => {
    const smtp = await scriptOf({ on: (line) => (line === 'STARTTLS' ? '502 what?' : undefined) });
    expect(await failure(relayOf(smtp.port, { STARTTLS: 'ALWAYS' }))).toMatchObject({ stage: 'tls' });
  });

  test('a wrong password', async () => {
    const sink = await sinkOf({ auth: 'required', users: ['u:right'] });
    const fact = await failure(relayOf(sink.port, { USER: 'u', PASS: 'wrong' }));
    expect(fact).toMatchObject({ stage: 'auth', phase: 'replied', reply: expect.stringMatching(/^535/) });
    const session = await sessionWith(relayOf(sink.port, { USER: 'u', PASS: 'right' }));
    expect(await send(session, to('a@example.net'), MESSAGE)).toMatchObject({ stage: 'dot' });
  });
});

describe('against another SMTP server', () => {
  async function serverOf(
    options: SMTPServerOptions,
  ): Promise<{ port: number; received: string[]; secure: boolean[] }> {
    const received: string[] = [];
    const secure: boolean[] = [];
    const server = new SMTPServer({
      logger: false,
      closeTimeout: 100,
      onAuth: ({ username, password }, _session, done) =>
        password === 'right' ? done(null, { user: username }) : done(new Error('no')),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          received.push(Buffer.concat(chunks).toString());
          secure.push(session.secure);
          done();
        });
      },
      ...options,
    });
    server.on('error', () => {});
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    cleanups.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    return { port: (server.server.address() as { port: number }).port, received, secure };
  }

  test('STARTTLS is used when it is offered, and the login goes over it', async () => {
    const server = await serverOf({ authOptional: false });
    const relay = relayOf(server.port, { VERIFY: false, USER: 'u', PASS: 'right' });
    const session = await sessionWith(relay);
    expect(await send(session, to('a@example.net'), MESSAGE)).toMatchObject({
      stage: 'dot',
      phase: 'replied',
    });
    expect(server).toMatchObject({ received: [MESSAGE.toString()], secure: [true] });
  });

  test('a certificate that nobody vouches for is refused, unless told otherwise', async () => {
    const starttls = await serverOf({ authOptional: true });
    expect(await failure(relayOf(starttls.port))).toMatchObject({ stage: 'tls', phase: 'not-sent' });
    const implicit = await serverOf({ authOptional: true, secure: true });
    expect(await failure(relayOf(implicit.port, { SECURE: true }))).toMatchObject({ stage: 'tls' });
    const session = await sessionWith(relayOf(implicit.port, { SECURE: true, VERIFY: false }));
    expect(await send(session, to('a@example.net'), MESSAGE)).toMatchObject({
      stage: 'dot',
      phase: 'replied',
    });
  });

  test('NEVER leaves the link as it is', async () => {
    const server = await serverOf({ authOptional: true });
    const session = await sessionWith(relayOf(server.port, { STARTTLS: 'NEVER' }));
    await send(session, to('a@example.net'), MESSAGE);
    expect(server.secure).toEqual([false]);
  });
});

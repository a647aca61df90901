import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import nodemailer from 'nodemailer';
import PostalMime from 'postal-mime';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../../sink/self-signed.ts';
import type { Sink } from '../../sink/sink.ts';
import { greetedClient, RawClient, rawClient, sinkFor, transaction } from './support.ts';

const MESSAGE = {
  from: 'Ana <ana@example.org>',
  to: 'bob@example.com',
  subject: 'Olá',
  text: '.dots\n..more\n\nend',
};

function transport(sink: Sink, options: object = {}): ReturnType<typeof nodemailer.createTransport> {
  const { host, port, certificate } = sink;
  const created = nodemailer.createTransport({ host, port, tls: { ca: certificate }, ...options });
  onTestFinished(() => created.close());
  return created;
}

describe('nodemailer', () => {
  it('hands a message over, and it arrives as it was written', async () => {
    const sink = await sinkFor({ keepMessages: true });
    const info = await transport(sink).sendMail(MESSAGE);
    const [message] = sink.messages;
    const parsed = await PostalMime.parse(message?.content ?? '');
    expect(parsed).toMatchObject({ subject: 'Olá', messageId: info.messageId });
    expect(parsed.text?.trimEnd()).toBe('.dots\n..more\n\nend');
    expect(sink.deliveries.count(String(info.messageId), 'bob@example.com')).toBe(1);
  });

  it('reaches an address beyond ASCII', async () => {
    const sink = await sinkFor();
    await transport(sink).sendMail({ ...MESSAGE, to: 'josé@example.com' });
    expect(sink.deliveries.of('josé@example.com')).toHaveLength(1);
  });

  it('starts TLS and authenticates', async () => {
    const sink = await sinkFor({
      tls: 'starttls',
      requireTls: true,
      auth: 'required',
      users: ['ana:se:cret'],
      keepMessages: true,
    });
    await transport(sink, { requireTLS: true, auth: { user: 'ana', pass: 'se:cret' } }).sendMail(MESSAGE);
    expect(sink.messages[0]).toMatchObject({ secure: true, user: 'ana' });
  });

  it('speaks implicit TLS and AUTH LOGIN', async () => {
    const sink = await sinkFor({ tls: 'implicit', auth: 'required', keepMessages: true });
    expect(sink.url).toBe(`smtps://127.0.0.1:${sink.port}`);
    const auth = { user: 'ana', pass: 'any', method: 'LOGIN' };
    await transport(sink, { secure: true, auth }).sendMail(MESSAGE);
    expect(sink.messages[0]).toMatchObject({ secure: true, user: 'ana' });
  });

  it('is refused with a wrong password, and always when AUTH fails', async () => {
    const sink = await sinkFor({ auth: 'optional', users: ['ana:secret'] });
    const wrong = transport(sink, { auth: { user: 'ana', pass: 'wrong' } });
    await expect(wrong.sendMail(MESSAGE)).rejects.toMatchObject({ code: 'EAUTH', responseCode: 535 });
    const failing = await sinkFor({ auth: 'optional', authFails: true });
    const right = transport(failing, { auth: { user: 'ana', pass: 'secret' } });
    await expect(right.sendMail(MESSAGE)).rejects.toMatchObject({ code: 'EAUTH' });
    expect(failing.report()).toMatchObject({ authFailures: 1, messages: 0 });
  });

  it('is refused without TLS where TLS is required', async () => {
    const sink = await sinkFor({ tls: 'starttls', requireTls: true });
    const plain = transport(sink, { ignoreTLS: true });
    await expect(plain.sendMail(MESSAGE)).rejects.toMatchObject({ responseCode: 530 });
  });

  it('goes to HELO and sends without PIPELINING', async () => {
    const sink = await sinkFor({ pipelining: false, eightBitMime: false, smtpUtf8: false });
    await transport(sink).sendMail(MESSAGE);
    expect(sink.report().messages).toBe(1);
  });

  it('is sent away by the greeting', async () => {
    const sink = await sinkFor({ greeting: 554 });
    await expect(transport(sink).sendMail(MESSAGE)).rejects.toMatchObject({ responseCode: 554 });
  });

  it('sees every reply late, over TLS too', async () => {
    const sink = await sinkFor({ tls: 'starttls', latencyMs: 5, slowMs: 30 });
    await transport(sink, { requireTLS: true }).sendMail({ ...MESSAGE, to: 'slow-1@example.com' });
    expect(sink.report().messages).toBe(1);
  });
});

describe('STARTTLS', () => {
  it('throws away what a third party put behind it in clear', async () => {
    const sink = await sinkFor({ tls: 'starttls' });
    const plain = await greetedClient(sink);
    plain.write(`STARTTLS\r\n${transaction('eve@x')}`);
    await plain.untilCodes(3);
    plain.socket.removeAllListeners('data');
    const secure = new RawClient(
      connectTls({ socket: plain.socket, ca: sink.certificate, host: 'localhost' }),
    );
    secure.write('NOOP\r\nMAIL FROM:<a@b>\r\n');
    await secure.untilCodes(2);
    // The EHLO before TLS is forgotten, and nothing of eve's was carried out.
    expect(secure.codes).toEqual([250, 503]);
    expect(sink.report().messages).toBe(0);
  });

  it('survives a client that says it and then goes on in clear', async () => {
    const sink = await sinkFor({ tls: 'starttls' });
    const client = await greetedClient(sink);
    client.write('STARTTLS\r\n');
    await client.untilCodes(3);
    client.write('NOOP\r\n');
    await client.untilClosed();
    await expect.poll(() => sink.report().openConnections).toBe(0);
    await greetedClient(sink);
  });

  it('stops while a handshake is under way', async () => {
    const sink = await sinkFor({ tls: 'starttls' });
    const client = await greetedClient(sink);
    client.write('STARTTLS\r\n');
    await client.untilCodes(3);
    await sink.stop();
    await client.untilClosed();
  });
});

it('stops while a handshake of implicit TLS is under way', async () => {
  const sink = await sinkFor({ tls: 'implicit' });
  const client = rawClient(sink);
  client.write(Buffer.from([0x16, 0x03]));
  // Connections are accepted in order: once a later one was served, the first is known.
  await once(client.socket, 'connect');
  await transport(sink, { secure: true }).verify();
  await sink.stop();
  await client.untilClosed();
});

it('makes itself a certificate that stands for the local host', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  const { cert } = selfSigned('sink.example', now);
  const certificate = new X509Certificate(cert);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  for (const name of ['sink.example', 'localhost']) expect(certificate.checkHost(name)).toBe(name);
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.checkHost('example.org')).toBeUndefined();
  expect(certificate.validFromDate).toEqual(new Date('2026-02-28T12:00:00Z'));
  expect(certificate.validToDate).toEqual(new Date('2026-03-31T12:00:00Z'));
});

import { describe, expect, it } from 'vitest';
import { greetedClient, sinkFor, transaction } from './support.ts';

const AFTER_GREETING = 2;

describe('a recipient that asks for misbehaviour', () => {
  it.each([
    ['4xx-1@x', 451, '4.3.0'],
    ['5xx-1@x', 550, '5.1.1'],
    ['452-1@x', 452, '4.2.2'],
    ['554-1@x', 554, '5.0.0'],
    ['policy-1@x', 550, '5.7.1'],
    ['disagree-1@x', 550, '4.2.0'],
  ])('is refused at RCPT: %s', async (recipient, code, enhanced) => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write(`MAIL FROM:<a@b>\r\nRCPT TO:<${recipient}>\r\nRSET\r\n${transaction('ana@x')}`);
    const codes = await client.untilCodes(AFTER_GREETING + 7);
    expect(codes.slice(AFTER_GREETING)).toEqual([250, code, 250, 250, 250, 354, 250]);
    expect(client.text).toContain(`${code} ${enhanced} `);
    expect(sink.report()).toMatchObject({ messages: 1, refused: 1, perCode: { [code]: 1 } });
  });

  it.each([
    ['dot452-1@x', 452],
    ['dot552-1@x', 552],
    ['dot5xx-1@x', 554],
  ])('is refused at the dot: %s', async (recipient, code) => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write(transaction(recipient) + transaction('ana@x'));
    const codes = await client.untilCodes(AFTER_GREETING + 8);
    expect(codes.slice(AFTER_GREETING)).toEqual([250, 250, 354, code, 250, 250, 354, 250]);
    expect(sink.report()).toMatchObject({ messages: 1, uniqueRecipients: 1, refused: 1 });
  });

  it('is answered 421 and the connection closes: 421-', async () => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write(`MAIL FROM:<a@b>\r\nRCPT TO:<421-1@x>\r\nNOOP\r\n`);
    await client.untilClosed();
    expect(client.codes.slice(AFTER_GREETING)).toEqual([250, 421]);
    expect(sink.report().refused).toBe(1);
  });

  it('is put off, and RSET ends the connection: rset-', async () => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write(`RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<rset-1@x>\r\nRSET\r\n${transaction('ana@x')}`);
    await client.untilClosed();
    expect(client.codes.slice(AFTER_GREETING)).toEqual([250, 250, 451, 421]);
    expect(sink.report()).toMatchObject({ messages: 0, refused: 1, perCode: { 451: 1 } });
  });

  it('loses the connection when its message begins to arrive: drop-before-dot-', async () => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write('MAIL FROM:<a@b>\r\nRCPT TO:<drop-before-dot-1@x>\r\nDATA\r\n');
    const codes = await client.untilCodes(AFTER_GREETING + 3);
    expect(codes.at(-1)).toBe(354);
    client.write('Subject: a\r\n');
    await client.untilClosed();
    expect(sink.report()).toMatchObject({ messages: 0, refused: 0 });
  });

  it('loses the connection, but is counted, after its dot: drop-after-dot-', async () => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write(transaction('drop-after-dot-1@x'));
    await client.untilClosed();
    expect(client.codes.slice(AFTER_GREETING)).toEqual([250, 250, 354]);
    expect(sink.report()).toMatchObject({ messages: 1, uniqueRecipients: 1, refused: 0 });
  });

  it('is answered late, and what was sent behind it too: slow-', async () => {
    const slowMs = 100;
    const sink = await sinkFor({ slowMs });
    const client = await greetedClient(sink);
    const before = performance.now();
    client.write(`${transaction('slow-1@x')}NOOP\r\n`);
    await client.untilCodes(AFTER_GREETING + 3);
    expect(client.codes.at(-1)).toBe(354);
    await client.untilCodes(AFTER_GREETING + 5);
    expect(performance.now() - before).toBeGreaterThanOrEqual(slowMs - 1);
    expect(client.codes.slice(-2)).toEqual([250, 250]);
    client.write(transaction('ana@x'));
    await client.untilCodes(AFTER_GREETING + 9);
    expect(sink.report().messages).toBe(2);
  });

  it('is counted and never answered, nor is anything behind it: hang-', async () => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write(`${transaction('hang-1@x')}NOOP\r\n`);
    await client.untilCodes(AFTER_GREETING + 3);
    const other = await greetedClient(sink);
    other.write('QUIT\r\n');
    await other.untilClosed();
    expect(client.codes.slice(AFTER_GREETING)).toEqual([250, 250, 354]);
    expect(client.closed).toBe(false);
    expect(sink.report().messages).toBe(1);
  });

  it('is answered with what no client understands: garbage-', async () => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write('MAIL FROM:<a@b>\r\nRCPT TO:<garbage-1@x>\r\nNOOP\r\n');
    await client.untilCodes(AFTER_GREETING + 2);
    expect(client.lines.at(-2)).not.toMatch(/^\d{3}/);
  });

  it('is greylisted per address as often as told: greylist-', async () => {
    const sink = await sinkFor({ greylistTimes: 2 });
    const codes: number[] = [];
    for (const recipient of ['greylist-1@x', 'greylist-1@x', 'greylist-2@x', 'greylist-1@x']) {
      const client = await greetedClient(sink);
      client.write(`MAIL FROM:<a@b>\r\nRCPT TO:<${recipient}>\r\nQUIT\r\n`);
      await client.untilClosed();
      codes.push(client.codes[3] ?? 0);
    }
    expect(codes).toEqual([451, 451, 451, 250]);
  });

  it.each([
    ['4xxonce-1@x', 451],
    ['450-once-1@x', 450],
    ['policyonce-1@x', 550],
  ])('is refused the first time only: %s', async (recipient, code) => {
    const sink = await sinkFor();
    const client = await greetedClient(sink);
    client.write(`MAIL FROM:<a@b>\r\nRCPT TO:<${recipient}>\r\nRSET\r\n${transaction(recipient)}`);
    const codes = await client.untilCodes(AFTER_GREETING + 7);
    expect(codes.slice(AFTER_GREETING)).toEqual([250, code, 250, 250, 250, 354, 250]);
  });

  it('is put off once and reset once: rset-once-', async () => {
    const sink = await sinkFor();
    const first = await greetedClient(sink);
    first.write('MAIL FROM:<a@b>\r\nRCPT TO:<rset-once-1@x>\r\nRSET\r\n');
    await first.untilClosed();
    const second = await greetedClient(sink);
    second.write(`MAIL FROM:<a@b>\r\nRCPT TO:<rset-once-1@x>\r\nRSET\r\n${transaction('rset-once-1@x')}`);
    const codes = await second.untilCodes(AFTER_GREETING + 7);
    expect(codes.slice(AFTER_GREETING)).toEqual([250, 250, 250, 250, 250, 354, 250]);
  });

  it.each([
    ['421once-1@x', 0],
    ['drop-before-dot-once-1@x', 0],
    ['drop-after-dot-once-1@x', 1],
  ])('breaks the connection the first time only: %s', async (recipient, duplicates) => {
    const sink = await sinkFor();
    const first = await greetedClient(sink);
    first.write(transaction(recipient));
    await first.untilClosed();
    const second = await greetedClient(sink);
    second.write(transaction(recipient));
    const codes = await second.untilCodes(AFTER_GREETING + 4);
    expect(codes.slice(AFTER_GREETING)).toEqual([250, 250, 354, 250]);
    expect(sink.report()).toMatchObject({ messages: 1 + duplicates, duplicates });
    expect(sink.deliveries.count(recipient, recipient)).toBe(1 + duplicates);
  });
});

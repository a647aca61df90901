import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionSettings } from '../../sink/contract.ts';
import {
  chunkedTransaction,
  codesOf,
  converse,
  cut,
  greetedClient,
  sinkFor,
  TestWorld,
  transaction,
} from './support.ts';

const EHLO = 'EHLO test.example\r\n';
const ENVELOPE = 'MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n';
const HEADER = 'Message-ID: <1@x>\r\nSubject: a\r\n\r\n';
const CHUNKING: Partial<SessionSettings> = { chunking: true };

/** The codes that answer what is said after EHLO. */
function codes(text: string, world = new TestWorld(), settings = CHUNKING): string[] {
  return codesOf(converse([EHLO + text], settings, world)).slice(2);
}

describe('CHUNKING', () => {
  it('is offered when told, BINARYMIME never', () => {
    expect(converse([EHLO], CHUNKING)).toMatch(/^250[ -]CHUNKING\r$/m);
    expect(converse([EHLO], CHUNKING)).not.toContain('BINARYMIME');
    expect(converse([EHLO])).not.toContain('CHUNKING');
  });

  it('brings one message in one chunk or many, each answered', () => {
    const world = new TestWorld();
    const one = chunkedTransaction('ana@x', `${HEADER}Hello\r\n`);
    const many = chunkedTransaction('bob@x', 'Mess', 'age-ID: <1@x>\r\n\r\nHel', '', 'lo', '');
    const replies = converse([EHLO + one + many], CHUNKING, world);
    expect(codesOf(replies).slice(2)).toEqual(Array(3 + 7).fill('250'));
    expect(replies).toContain('250 2.0.0 4 bytes received\r\n');
    expect(world.contents).toEqual([`${HEADER}Hello\r\n`, 'Message-ID: <1@x>\r\n\r\nHello']);
    expect(world.tally.deliveries.count('1@x', 'bob@x')).toBe(1);
    const bytes = `${HEADER}Hello\r\n`.length + 'Message-ID: <1@x>\r\n\r\nHello'.length;
    expect(world.tally.report()).toMatchObject({ messages: 2, bytes });
  });

  it('takes bytes as they are', () => {
    const world = new TestWorld();
    const body = '.\r\n..\r\n\r\n.\r\nQUIT\r\n\0\xff\n.\n\r';
    const bytes = Buffer.from(body, 'latin1');
    const head = Buffer.from(`${EHLO}${ENVELOPE}BDAT ${bytes.length} last\r\n`);
    const dialogue = converse([Buffer.concat([head, bytes, Buffer.from('NOOP\r\n')])], CHUNKING, world);
    expect(codesOf(dialogue).slice(2)).toEqual(['250', '250', '250', '250']);
    expect(world.contents).toEqual([body]);
  });

  it('may bring an empty message', () => {
    const world = new TestWorld();
    expect(codes(`${ENVELOPE}BDAT 0 LAST\r\nNOOP\r\n`, world)).toEqual(['250', '250', '250', '250']);
    expect(world.contents).toEqual(['']);
    expect(world.tally.report()).toMatchObject({ messages: 1, withoutMessageId: 1 });
  });

  it('answers transactions of one segment in one reply step, so that they cost one round trip', async () => {
    const latencyMs = 100;
    const sink = await sinkFor({ chunking: true, latencyMs });
    const client = await greetedClient(sink);
    const segments: string[] = [];
    client.socket.on('data', (chunk: Buffer) => segments.push(chunk.toString('latin1')));
    const before = performance.now();
    client.write(
      Array.from({ length: 20 }, (_, index) => chunkedTransaction(`r${index}@x`, HEADER)).join(''),
    );
    await client.untilCodes(2 + 60);
    expect(performance.now() - before).toBeGreaterThanOrEqual(latencyMs - 1);
    expect(segments).toHaveLength(1);
    expect(sink.report().messages).toBe(20);
  });

  it('answers the same, and takes the same bodies, however the input is cut into chunks', () => {
    const input = Buffer.from(
      [
        EHLO,
        chunkedTransaction('ana@x', `${HEADER}.\r\n`),
        chunkedTransaction('bob@x', HEADER.slice(0, 5), HEADER.slice(5), '', 'x'.repeat(300)),
        transaction('carl@x'),
        chunkedTransaction('5xx-dora@x', 'MAIL FROM:<a@x>\r\n', 'QUIT\r\n'),
        chunkedTransaction('eve@x', HEADER, 'x'.repeat(10_000), 'more', 'end'),
        'BDAT 6 LAST\r\nQUIT\r\n',
        `${ENVELOPE}BDAT 3\r\nabcDATA\r\nRCPT TO:<c@x>\r\nBDAT 2\r\n\r\nRSET\r\n`,
        chunkedTransaction('slow-fred@x', `${HEADER}.\r\n..\r\n`),
        chunkedTransaction('dot452-gina@x', HEADER, ''),
        chunkedTransaction('drop-after-dot-1@x', HEADER),
        'NOOP\r\n',
      ].join(''),
    );
    const world = new TestWorld();
    const whole = converse([input], CHUNKING, world);
    expect(codesOf(whole).at(-1)).toBe('[drop]');
    expect(world.contents.map((content) => content.length)).toEqual([
      HEADER.length + 3,
      HEADER.length + 300,
      expect.any(Number),
      HEADER.length + 7,
      HEADER.length,
    ]);
    const check = (chunks: readonly Buffer[]): void => {
      const other = new TestWorld();
      expect(converse(chunks, CHUNKING, other)).toBe(whole);
      expect(other.contents).toEqual(world.contents);
      expect([...other.tally.deliveries.entries()]).toEqual([...world.tally.deliveries.entries()]);
      expect(other.tally.report().perCode).toEqual(world.tally.report().perCode);
    };
    const places = fc.array(fc.nat(input.length), { maxLength: 40 });
    fc.assert(fc.property(places, (at) => check(cut(input, at))));
    check([...input].map((byte) => Buffer.from([byte])));
  });

  it('gives back any bodies, in any chunks of any segments', () => {
    const body = fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(body, { maxLength: 4 }), fc.array(fc.nat(2_000)), (bodies, places) => {
        const parts = bodies.flatMap((chunks) => [
          Buffer.from(ENVELOPE),
          ...chunks.flatMap((chunk, index) => [
            Buffer.from(`BDAT ${chunk.length}${index === chunks.length - 1 ? ' LAST' : ''}\r\n`),
            chunk,
          ]),
        ]);
        const world = new TestWorld();
        const input = Buffer.concat([Buffer.from(EHLO), ...parts]);
        const dialogue = converse(cut(input, places), CHUNKING, world);
        const expected = bodies.map((chunks) => Buffer.concat(chunks).toString('latin1'));
        expect(world.contents).toEqual(expected);
        expect(new Set(codesOf(dialogue).slice(1))).toEqual(new Set(['250']));
        expect(codesOf(dialogue)).toHaveLength(
          2 + bodies.reduce((sum, chunks) => sum + 2 + chunks.length, 0),
        );
      }),
    );
  });
});

describe('BDAT that is refused', () => {
  const NEXT = chunkedTransaction('next@x', HEADER);

  it.each([
    ['without MAIL', 'BDAT 6 LAST\r\nQUIT\r\n', ['503']],
    ['without a recipient', 'MAIL FROM:<a@x>\r\nBDAT 6 LAST\r\nQUIT\r\n', ['250', '554']],
    ['after a refused recipient', chunkedTransaction('5xx-1@x', 'QUIT\r\n'), ['250', '550', '554']],
    [
      'in several chunks',
      chunkedTransaction('5xx-1@x', 'QUIT\r\n', '', 'QUIT'),
      ['250', '550', '554', '503', '503'],
    ],
    [
      'after a refused MAIL',
      `MAIL FROM:<a@x> SIZE=10001\r\nRCPT TO:<a@x>\r\nBDAT 2 LAST\r\n\r\n`,
      ['552', '503', '503'],
    ],
    ['beyond SIZE, in the last chunk', chunkedTransaction('a@x', 'x'.repeat(10_001)), ['250', '250', '552']],
    [
      'beyond SIZE, before the last chunk',
      chunkedTransaction('a@x', 'x'.repeat(6_000), 'x'.repeat(4_001), 'y', 'z'),
      ['250', '250', '250', '552', '503', '503'],
    ],
    [
      'after RSET',
      `${ENVELOPE}BDAT 2\r\n\r\nRSET\r\nBDAT 2 LAST\r\n\r\n`,
      ['250', '250', '250', '250', '503'],
    ],
    [
      'after EHLO',
      `${ENVELOPE}BDAT 2\r\n\r\n${EHLO}BDAT 2 LAST\r\n\r\n`,
      ['250', '250', '250', '250', '503'],
    ],
  ])('%s, has its bytes discarded, and the next message needs no RSET', (_what, refused, expected) => {
    const world = new TestWorld();
    expect(codes(refused + NEXT, world)).toEqual([...expected, '250', '250', '250']);
    expect(world.contents).toEqual([HEADER]);
  });

  it('takes a message that is just as large as SIZE allows', () => {
    const world = new TestWorld();
    expect(codes(chunkedTransaction('a@x', 'x'.repeat(9_999), 'x'), world).at(-1)).toBe('250');
    expect(world.contents[0]).toHaveLength(10_000);
  });

  it('counts a message beyond SIZE once', () => {
    const world = new TestWorld();
    codes(chunkedTransaction('a@x', 'x'.repeat(10_001), 'y', 'z'), world);
    expect(world.tally.report()).toMatchObject({ messages: 0, refused: 1, perCode: { 552: 1 } });
  });

  it('does not mix with DATA, nor with later recipients', () => {
    const world = new TestWorld();
    const mixed = `${ENVELOPE}BDAT 2\r\nabDATA\r\nBDAT 2\r\ncdBDAT 2 LAST\r\nefNOOP\r\n`;
    expect(codes(mixed, world)).toEqual(['250', '250', '250', '503', '503', '503', '250']);
    const late = `${ENVELOPE}BDAT 2\r\nabRCPT TO:<c@x>\r\nMAIL FROM:<c@x>\r\nBDAT 2 LAST\r\ncd`;
    expect(codes(late, world)).toEqual(['250', '250', '250', '503', '503', '250']);
    expect(world.contents).toEqual(['abcd']);
    expect(codes(transaction('a@x') + NEXT + transaction('b@x'), world)).not.toContain('503');
  });

  it.each([
    'BDAT',
    'BDAT x',
    'BDAT -1',
    'BDAT 5 FIRST',
    'BDAT 5LAST',
    'BDAT 99999999999999999999',
    'BDAT 1 LAST 2',
  ])('with arguments that tell nothing ends the session: %s', (command) => {
    expect(codes(`${ENVELOPE}${command}\r\nNOOP\r\n`)).toEqual(['250', '250', '501', '[end]']);
  });

  it('where it is not offered has its bytes discarded too', () => {
    const world = new TestWorld();
    expect(codes(`${ENVELOPE}BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n`, world, {})).toEqual([
      '250',
      '250',
      '502',
      '250',
    ]);
    expect(world.tally.report().messages).toBe(0);
  });

  it('is told when the message cannot be stored', () => {
    const world = new TestWorld();
    world.stores = false;
    expect(codes(chunkedTransaction('a@x', HEADER, ''), world)).toEqual(['250', '250', '250', '452']);
  });

  it('is ahead of its turn only when a command stands behind its bytes and PIPELINING is not offered', () => {
    const settings = { chunking: true, pipelining: false };
    const polite = [
      EHLO,
      'MAIL FROM:<a@x>\r\n',
      'RCPT TO:<b@x>\r\n',
      'BDAT 2\r\nab',
      'BDAT 2 LAST\r\ncd',
      'NOOP\r\n',
    ];
    expect(codesOf(converse(polite, settings)).slice(1)).toEqual(Array(6).fill('250'));
    const rude = [...polite.slice(0, 3), 'BDAT 2\r\nabNOOP\r\n'];
    expect(codesOf(converse(rude, settings)).slice(-3)).toEqual(['250', '554', '[end]']);
  });
});

describe('a recipient that asks for misbehaviour, by BDAT', () => {
  it.each([
    ['dot452-1@x', ['250', '250', '250', '452'], 0],
    ['dot421-1@x', ['250', '250', '250', '421', '[end]'], 0],
    ['drop-before-dot-1@x', ['250', '250', '250', '[drop]'], 0],
    ['drop-after-dot-1@x', ['250', '250', '250', '[drop]'], 1],
    ['slow-1@x', ['250', '250', '250', '[wait]', '250'], 1],
    ['hang-1@x', ['250', '250', '250'], 1],
    ['4xx-1@x', ['250', '451', '554', '503'], 0],
  ])('gets it at the last chunk: %s', (recipient, expected, messages) => {
    for (const last of ['Hello\r\n', '']) {
      const world = new TestWorld();
      expect(codes(chunkedTransaction(recipient, HEADER, last), world)).toEqual(expected);
      expect(world.tally.report().messages).toBe(messages);
    }
  });

  it('gets it once: drop-before-dot-once-', () => {
    const world = new TestWorld();
    const text = chunkedTransaction('drop-before-dot-once-1@x', HEADER);
    expect(codes(text, world).at(-1)).toBe('[drop]');
    expect(codes(text, world)).toEqual(['250', '250', '250']);
  });
});

import fc from 'fast-check';

const HEADER = [
  'From: News <news@example.org>',
  'To: you@example.net',
  'Date: Thu, 01 Jan 2026 12:00:00 +0000',
  'Message-ID: <1@example.org>',
  'Subject: Bytes',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: 8bit',
];

/** A message with that body, which has CRLF line ends. */
export const messageOf = (body: string): Buffer => Buffer.from(`${HEADER.join('\r\n')}\r\n\r\n${body}`);

/** RFC 5321 §4.5.3.1.6: with its line end a line may have 1,000 bytes. */
const LONGEST_LINE = 998;

/** Bodies that are easily damaged on the way. */
export const SPECIAL: readonly string[] = [
  '',
  '.\r\n',
  '..\r\n...\r\n',
  '.first\r\nlast.\r\n.\r\n',
  '\r\n\r\n.\r\n\r\n',
  'no end of line',
  'no end of line\r\n.',
  'Olá, mutirão — ação 🎉\r\n',
  ' leading and trailing \t \r\n',
  'From here\r\n>From there\r\n',
  'QUIT\r\nRSET\r\nMAIL FROM:<x@example.org>\r\n',
  `${'x'.repeat(LONGEST_LINE)}\r\n.${'y'.repeat(LONGEST_LINE - 1)}\r\n`,
  `${'é'.repeat(LONGEST_LINE / 2)}\r\n`,
  'a line of a large message\r\n.\r\n'.repeat(50_000),
];

/** Any body of short lines full of dots. */
export const BODY = fc
  .array(fc.array(fc.constantFrom('.', '..', ' ', 'x', 'é', '🎉', '\t', 'BDAT 5 LAST'), { maxLength: 5 }), {
    maxLength: 8,
  })
  .map((lines) => lines.map((words) => `${words.join('')}\r\n`).join(''));

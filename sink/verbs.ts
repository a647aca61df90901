const SPACE = 0x20;

const verb = (word: string): number => Buffer.from(word, 'latin1').readUInt32BE(0);
/** The first four letters of each command, as one big-endian number. */
export const VERBS = {
  ehlo: verb('EHLO'),
  helo: verb('HELO'),
  mail: verb('MAIL'),
  rcpt: verb('RCPT'),
  data: verb('DATA'),
  bdat: verb('BDAT'),
  rset: verb('RSET'),
  noop: verb('NOOP'),
  quit: verb('QUIT'),
  vrfy: verb('VRFY'),
  auth: verb('AUTH'),
  help: verb('HELP'),
  starttls: verb('STAR'),
};
/** Makes four ASCII letters upper-case at once. */
const UPPER_CASE = 0xdfdfdfdf;

/** The first four letters as one upper-case number; 0 when they are not followed by a blank or the line's end. */
export function verbOf(line: Buffer, start: number, end: number): number {
  if (end - start < 4) return 0;
  const word = (line.readUInt32BE(start) & UPPER_CASE) >>> 0;
  if (end - start > 4 && line[start + 4] !== SPACE && word !== VERBS.starttls) return 0;
  return word;
}

/** Whether `keyword` (upper case) stands at `at`, whatever the case of its letters. */
export function hasKeyword(line: Buffer, at: number, end: number, keyword: string): boolean {
  if (at + keyword.length > end) return false;
  for (let index = 0; index < keyword.length; index += 1) {
    const expected = keyword.charCodeAt(index);
    const byte = line[at + index] as number;
    if (byte !== expected && (byte & 0xdf) !== expected) return false;
  }
  return true;
}

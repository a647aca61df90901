import { latinMargin } from './latin.ts';

/** RFC 2047 §2 allows 75 for an encoded word; the composer uses 52, so that a field name fits before it. */
const WORD_CHARS = 52;
const START_Q = '=?UTF-8?Q?';
const START_B = '=?UTF-8?B?';
const END = '?=';
const TEXT_CHARS = WORD_CHARS - START_Q.length - END.length;
/** What base64 makes of them fits `TEXT_CHARS`. */
const B_BYTES = (TEXT_CHARS / 4) * 3;

/** RFC 2047 §5 (3) without the space, which becomes an underscore. */
const Q_LITERAL = /^[A-Za-z0-9!*+/-]$/;
const Q_OF_ASCII: readonly string[] = Array.from({ length: 0x80 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (character === ' ') return '_';
  return Q_LITERAL.test(character) ? character : escaped(code);
});

/** Encoded words of a text (RFC 2047), each with whole characters: Q for mostly Latin text, else B. */
export function encodedWords(text: string): string {
  return latinMargin(text) > 0 ? qWords(text) : bWords(text);
}

export function qWords(text: string): string {
  let words = START_Q;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) ?? 0;
    if (code >= 0x10000) i++;
    const unit = qUnit(code);
    if (length + unit.length > TEXT_CHARS) {
      words += `${END} ${START_Q}`;
      length = 0;
    }
    words += unit;
    length += unit.length;
  }
  return words + END;
}

function qUnit(code: number): string {
  if (code < 0x80) return Q_OF_ASCII[code] ?? '';
  if (code < 0x800) return escaped(0xc0 | (code >> 6)) + tail(code);
  if (code >= 0x10000) return escaped(0xf0 | (code >> 18)) + tail(code >> 12) + tail(code >> 6) + tail(code);
  const known = code >= 0xd800 && code < 0xe000 ? 0xfffd : code;
  return escaped(0xe0 | (known >> 12)) + tail(known >> 6) + tail(known);
}

function tail(bits: number): string {
  return escaped(0x80 | (bits & 0x3f));
}

function escaped(byte: number): string {
  return `=${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
}

function bWords(text: string): string {
  const words: string[] = [];
  let start = 0;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) ?? 0;
    const unit = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes + unit > B_BYTES) {
      words.push(bWord(text.slice(start, i)));
      start = i;
      bytes = 0;
    }
    bytes += unit;
    if (code >= 0x10000) i++;
  }
  words.push(bWord(text.slice(start)));
  return words.join(' ');
}

function bWord(text: string): string {
  return START_B + Buffer.from(text).toString('base64') + END;
}

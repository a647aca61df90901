/** What ends the data when its last line is ended, and when it is not (RFC 5321 §4.1.1.4). */
const END_OF_DATA = Buffer.from('.\r\n');
const END_OF_LINE_AND_DATA = Buffer.from('\r\n.\r\n');
const LINE_THEN_DOT = Buffer.from('\r\n.');
const DOT = 0x2e;
const CR = 0x0d;
const LF = 0x0a;

/** The end of data that goes behind this message. */
export function endOfData(message: Buffer): Buffer {
  const { length } = message;
  return length >= 2 && message[length - 1] === LF && message[length - 2] === CR
    ? END_OF_DATA
    : END_OF_LINE_AND_DATA;
}

/** A dot before every line that begins with one (RFC 5321 §4.5.2). Most messages have no such line and are returned as they are. */
export function dotStuffed(message: Buffer): Buffer {
  const dots: number[] = [];
  if (message[0] === DOT) dots.push(0);
  for (let at = message.indexOf(LINE_THEN_DOT); at !== -1; at = message.indexOf(LINE_THEN_DOT, at + 2))
    dots.push(at + 2);
  if (dots.length === 0) return message;
  const stuffed = Buffer.allocUnsafe(message.length + dots.length);
  let from = 0;
  let to = 0;
  for (const dot of dots) {
    to += message.copy(stuffed, to, from, dot);
    stuffed[to++] = DOT;
    from = dot;
  }
  message.copy(stuffed, to, from);
  return stuffed;
}

import { MessageError } from './message-error.ts';

/** RFC 5322 §2.1.1, without CRLF. */
const MAX_LINE_OCTETS = 998;

/**
 * The last gate: no NUL, no bare CR or LF (each would be read differently by different relays), no line beyond the
 * limit or starting with a dot. Nothing gets here by a known way; what does is not sent.
 */
export function checkBytes(bytes: Buffer): void {
  if (bytes.includes(0)) throw new MessageError('', 'the composed message contains a NUL');
  if (bytes[0] === 46) throw new MessageError('', 'the composed message starts with a dot');
  let start = 0;
  for (let lf = bytes.indexOf(10); lf >= 0; lf = bytes.indexOf(10, start)) {
    if (bytes[lf - 1] !== 13) throw new MessageError('', 'the composed message contains a bare LF');
    if (lf - 1 - start > MAX_LINE_OCTETS) {
      throw new MessageError('', `the composed message has a line of more than ${MAX_LINE_OCTETS} octets`);
    }
    start = lf + 1;
    if (bytes[start] === 46)
      throw new MessageError('', 'the composed message has a line that starts with a dot');
  }
  if (start !== bytes.length) throw new MessageError('', 'the composed message does not end with a line end');
  for (let cr = bytes.indexOf(13); cr >= 0; cr = bytes.indexOf(13, cr + 1)) {
    if (bytes[cr + 1] !== 10) throw new MessageError('', 'the composed message contains a bare CR');
  }
}

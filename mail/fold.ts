/** A line of a header is folded before this many characters, as the composer does it (RFC 5322 §2.1.1 says 78). */
export const LINE_CHARS = 76;

/**
 * Folds a header field (name, colon, value without line breaks) at its white space, as the composer does it: before
 * the last white space of the first 76 characters, or else before the next.
 */
export function folded(field: string): string {
  let lines = '';
  let at = 0;
  while (field.length - at >= LINE_CHARS) {
    let end = lastBreak(field, at);
    if (end === at) end = nextBreak(field, at + LINE_CHARS);
    lines += field.slice(at, end);
    at = end;
    if (at < field.length) lines += '\r\n';
  }
  return lines + field.slice(at);
}

/** Where the last white space of the line begins; its start when there is none behind what it begins with. */
function lastBreak(field: string, start: number): number {
  let at = start + LINE_CHARS;
  while (at > start && !isSpace(field, at - 1)) at--;
  while (at > start && isSpace(field, at - 1)) at--;
  return at;
}

function nextBreak(field: string, from: number): number {
  let at = from;
  while (at < field.length && !isSpace(field, at)) at++;
  return at;
}

function isSpace(field: string, at: number): boolean {
  const code = field.charCodeAt(at);
  return code === 32 || code === 9;
}

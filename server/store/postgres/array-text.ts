/** PostgreSQL's text form of arrays, as parameters of prepared statements. */
export function numberArray(values: readonly (number | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    text += values[i] ?? 'NULL';
  }
  return `${text}}`;
}

/** What needs no escape, and is not taken for NULL or the end of an element. */
const PLAIN = /^[A-Za-z0-9@._+:/ -]+$/;
const ESCAPED = /["\\]/g;
const NUL = /\0/g;

/** A NUL cannot be stored by PostgreSQL: it becomes U+FFFD. */
export function textArray(values: readonly (string | null | undefined)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    const value = values[i];
    if (value === null || value === undefined) text += 'NULL';
    else if (PLAIN.test(value)) text += `"${value}"`;
    else text += `"${withoutNul(value).replace(ESCAPED, '\\$&')}"`;
  }
  return `${text}}`;
}

export function withoutNul(text: string): string {
  return text.includes('\0') ? text.replace(NUL, '\u{FFFD}') : text;
}

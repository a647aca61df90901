/**
 * What may stand in a log. This looks at the finished record, the last thing before it leaves the process,
 * so nothing can slip by: not a binding of a child logger, not a nested object, not the text of an error.
 *
 * - Never, at any level: tokens, passwords, tickets, user names (by key, in any casing, at any depth), the
 *   password inside a URL, and the secret values that the program was started with.
 * - Only at `trace`: addresses (above it `***@example.org` remains) and the content of messages.
 */

export const HIDDEN = '[hidden]';

/** Keys without `-` and `_`, in lower case. Numbers and booleans under them (`tickets: 3`) are harmless and stay. */
const SECRET_KEY =
  /token|passw|secret|authorization|credential|ticket|privatekey|^(pass|user|username|auth|cookie)$/;
const CONTENT_KEY = /^(text|html|subject|body|variables|attachments?|content)$/;

/** A record without any of this needs no second look. */
const SUSPICIOUS =
  /token|pass|secret|auth|credential|ticket|private|user|cookie|text|html|subject|body|variables|attach|content|@/i;

const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)([^\s/?#"'<>]*)@/gi;
const ADDRESS = /(?:"(?:[^"\\]|\\.)*"|[^\s<>"(),:;/@\\[\]]+)@(?=[\p{L}\p{N}[])/gu;

/** Shorter secrets would blank out half of the log. */
const MIN_SECRET_LENGTH = 4;

/** `smtp://user:pass@host` → `smtp://user:***@host`; a lone `token@host` → `***@host`. Works inside longer text. */
export function maskUrl(text: string): string {
  return text.replace(USER_INFO, (_all, scheme: string, userInfo: string) => {
    const colon = userInfo.indexOf(':');
    return colon === -1 ? `${scheme}***@` : `${scheme}${userInfo.slice(0, colon)}:***@`;
  });
}

/** `ana@example.org` → `***@example.org`, wherever it stands in the text. */
export function maskAddresses(text: string): string {
  return text.replace(ADDRESS, '***@');
}

/** Makes the function that every record, as one line of JSON, passes on its way out. */
export function createRedactor(secrets: readonly string[] = []): (line: string) => string {
  const values = secrets.filter((secret) => secret.length >= MIN_SECRET_LENGTH);
  return (line) => {
    const known = values.some((secret) => line.includes(JSON.stringify(secret).slice(1, -1)));
    if (!known && !SUSPICIOUS.test(line)) return line;
    const record = JSON.parse(line) as Record<string, unknown>;
    const isTrace = record.level === 'trace';
    return `${JSON.stringify(record, (key, value) => clean(key, value, isTrace, values))}\n`;
  };
}

function clean(key: string, value: unknown, isTrace: boolean, secrets: readonly string[]): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  const name = key.toLowerCase().replace(/[-_]/g, '');
  if (SECRET_KEY.test(name)) return HIDDEN;
  if (!isTrace && CONTENT_KEY.test(name)) return HIDDEN;
  if (typeof value !== 'string') return value;
  let text = value;
  for (const secret of secrets) text = text.replaceAll(secret, HIDDEN);
  text = maskUrl(text);
  return isTrace ? text : maskAddresses(text);
}

import { quoteString } from 'nodemailer/lib/mime-funcs';
import MimeNode from 'nodemailer/lib/mime-node';
import type { ParsedAddress } from './address.ts';
import { encodedWords } from './encoded-word.ts';
import { tidyValue } from './header-fields.ts';
import { singleLine } from './template-program.ts';

/** A display name, in characters: it must fit a line even when it is one long word. */
export const MAX_NAME_CHARS = 256;

/** The value of To for one recipient, encoded but not folded (RFC 5322 §3.4, RFC 2047 §5 (3)). */
export function recipientValue(name: string | undefined, to: ParsedAddress): string {
  const shown = name === undefined || name === '' ? '' : tidyValue(singleLine(name).slice(0, MAX_NAME_CHARS));
  // Not seen often: the composer knows how a quoted or international address is shown.
  if (to.smtputf8 || to.local.startsWith('"')) {
    return MimeNode.encodeHeaderValue('To', { name: shown, address: to.address });
  }
  return shown === '' ? to.address : `${encodedName(shown)} <${to.address}>`;
}

function encodedName(name: string): string {
  if (/^[\w ]*$/.test(name)) return name;
  return /^[\x20-\x7e]*$/.test(name) ? quoteString(name) : encodedWords(name);
}

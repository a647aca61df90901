import { MessageError } from './message-error.ts';
import type { Template } from './template.ts';

const FIELD = 'listUnsubscribe';
/** `<URL>` or several, with what RFC 2369 §2 allows in them; anything outside printable ASCII was escaped before. */
const LIST = /^<(?:https?:\/\/|mailto:)[^<>\s]+>(?:, ?<(?:https?:\/\/|mailto:)[^<>\s]+>)*$/i;
/** One URL in which nothing is to be escaped. */
const PLAIN_URL = /^(?:https?:\/\/|mailto:)[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+$/i;
/** The start of one URL, after which no value can make it anything else. */
const SURE_START = /^(?:https?:\/\/|mailto:)[\x21\x23-\x3b\x3d\x3f-\x7e]/i;

/** Whether it gives a URL whatever the values are, by its fixed start. */
export function isSurelyUrl(template: Template): boolean {
  const [first] = template.parts;
  return first?.kind === 'text' && SURE_START.test(first.text);
}

/**
 * The value of List-Unsubscribe (RFC 2369 §3.2) from one URL or from a list in angle brackets, both as the template
 * rendered them. A value filled into a bare URL cannot add another one.
 *
 * @throws MessageError when it is neither
 */
export function unsubscribeHeader(rendered: string): string {
  if (PLAIN_URL.test(rendered)) return `<${rendered}>`;
  const given = rendered.trim().toWellFormed();
  const list = given.startsWith('<') ? given : `<${percentEncode(given)}>`;
  const value = list.replace(/[^\x20-\x7e]+/g, encodeURIComponent);
  if (!LIST.test(value))
    throw new MessageError(FIELD, 'must be an http(s) or mailto URL, or a list of <URL>');
  return value;
}

/** What stands in no URL, e.g. the spaces and quotes of a value that was filled in. */
function percentEncode(url: string): string {
  return url.replace(/[\x00-\x20"<>\\^`{|}\x7f]/g, (character) => encodeURIComponent(character));
}

/** @throws MessageError when the template can be seen to give no URL, whatever the variables */
export function checkUnsubscribe(template: Template, oneClick: boolean): void {
  const [first] = template.parts;
  if (template.isConstant) unsubscribeHeader(template.render({}));
  else if (first?.kind === 'text' && !/^\s*<?(?:https?:\/\/|mailto:)/i.test(first.text)) {
    throw new MessageError(FIELD, 'must start with http(s):// or mailto:, or with a variable');
  }
  // RFC 8058 §3.1: one click needs an HTTPS URL to post to.
  if (oneClick && template.isConstant && !/https:/i.test(template.render({}))) {
    throw new MessageError('listUnsubscribePost', 'needs an https URL in listUnsubscribe');
  }
}

import { createHash } from 'node:crypto';
import MailComposer from 'nodemailer/lib/mail-composer';
import { type Mailbox, parseAddress } from './address.ts';
import { type ComposerField, composerField, tidyValue, valueProblem } from './header-fields.ts';
import { MessageError } from './message-error.ts';
import { parseMessageId } from './message-id.ts';
import { type MessageSpec, type ReadSpec, readSpec } from './message-spec.ts';
import { missingVariable, type Template } from './template.ts';
import { TemplateError } from './template-error.ts';
import { singleLine, type TemplateVariables } from './template-program.ts';
import { unsubscribeHeader } from './unsubscribe.ts';
import { type EncodedContents, wireBytes } from './wire-bytes.ts';

/** A display name, in characters: it must fit a line even when it is one long word. */
const MAX_NAME_CHARS = 256;
/** A composed message, in bytes: above what relays take anyway. */
export const MAX_COMPOSED_BYTES = 32 * 1024 * 1024;

/** What a message needs to know of whom it goes to. */
export interface MessageRecipient {
  readonly address: string;
  readonly name?: string;
  readonly variables?: TemplateVariables;
}

export interface MessageCopy extends MessageRecipient {
  /** With its angle brackets. */
  readonly messageId: string;
  /** The same at every attempt. */
  readonly date: Date;
}

export interface RenderedMessage {
  /** Header and body with CRLF line ends, not dot-stuffed, ending with CRLF. */
  readonly bytes: Buffer;
  /** For RCPT: the address as it was parsed, its domain in A-labels. */
  readonly to: string;
  /** Some address in it is not ASCII: the relay must offer SMTPUTF8. */
  readonly smtputf8: boolean;
}

export interface CompiledMessage {
  /** The sender, for MAIL and for Message-IDs. */
  readonly from: Mailbox;
  /**
   * Variables that every recipient needs: `name` (the recipient's or a variable) among them when it is used;
   * not `email`, which all have.
   */
  readonly required: readonly string[];
  /** Why this recipient cannot get the message (`missing variable "x"`, …), or undefined. Does not throw. */
  checkRecipient(recipient: MessageRecipient): string | undefined;
  /**
   * The message for one recipient: the same bytes for the same input, at any time, in any process.
   *
   * @throws MessageError when it cannot be made for this recipient; trying again will not help
   */
  render(copy: MessageCopy): RenderedMessage;
}

/**
 * Compiles the message of a batch once, to be rendered for each recipient.
 *
 * @throws MessageError naming the field to correct
 */
export function compileMessage(spec: MessageSpec): CompiledMessage {
  const read = readSpec(spec);
  const encoded: EncodedContents = new WeakMap();
  const required = requiredBy(read);
  return {
    from: read.from,
    required,
    checkRecipient: (recipient) => checkRecipient(read, required, recipient),
    render: (copy) => render(read, encoded, copy),
  };
}

function requiredBy(read: ReadSpec): readonly string[] {
  const all = templatesOf(read).flatMap((template) => template.required);
  return [...new Set(all)].filter((name) => name !== 'email');
}

function templatesOf(read: ReadSpec): readonly Template[] {
  return [
    read.subject,
    read.text,
    read.html,
    read.unsubscribe,
    ...read.headers.map((header) => header.template),
  ].filter((template) => template !== undefined);
}

/** `name` and `email` are the recipient's own, unless a variable is called so. */
function scopeOf(recipient: MessageRecipient, address: string): TemplateVariables {
  return { name: recipient.name, email: address, ...recipient.variables };
}

function checkRecipient(
  read: ReadSpec,
  required: readonly string[],
  recipient: MessageRecipient,
): string | undefined {
  const parsed = parseAddress(recipient.address);
  if (!parsed.ok) return parsed.reason;
  if (recipient.name !== undefined) {
    if (recipient.name.length > MAX_NAME_CHARS) return `the name is longer than ${MAX_NAME_CHARS} characters`;
    if (singleLine(recipient.name) !== recipient.name)
      return 'the name contains a line break or a control character';
  }
  const scope = scopeOf(recipient, parsed.address);
  const missing = missingVariable(required, scope);
  if (missing !== undefined) return `missing variable "${missing}"`;
  try {
    headerFields(read, scope);
    // Without lists a template grows only by its values, which are bounded where they come from.
    for (const body of [read.text, read.html])
      if (body?.parts.some((part) => part.kind === 'section')) body.render(scope);
    return undefined;
  } catch (error) {
    if (error instanceof MessageError || error instanceof TemplateError) return error.message;
    throw error;
  }
}

/** Subject and the fields that the spec asks for, in this order. */
function headerFields(read: ReadSpec, scope: TemplateVariables): ComposerField[] {
  const subject = checked('subject', tidyValue(read.subject.render(scope)));
  const fields = subject === '' ? [] : [composerField('Subject', subject)];
  for (const { name, template } of read.headers) {
    const value = checked(`headers.${name}`, tidyValue(template.render(scope)));
    if (value !== '') fields.push(composerField(name, value));
  }
  if (read.unsubscribe !== undefined) {
    const value = checked('listUnsubscribe', unsubscribeHeader(read.unsubscribe.render(scope)));
    fields.push(composerField('List-Unsubscribe', value));
    if (read.oneClick) fields.push(composerField('List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'));
  }
  return fields;
}

function checked(field: string, value: string): string {
  const problem = valueProblem(value);
  if (problem !== undefined) throw new MessageError(field, problem);
  return value;
}

function render(read: ReadSpec, encoded: EncodedContents, copy: MessageCopy): RenderedMessage {
  const parsed = parseAddress(copy.address);
  if (!parsed.ok) throw new MessageError('address', parsed.reason);
  const scope = scopeOf(copy, parsed.address);
  try {
    const root = new MailComposer({
      from: composerAddress(read.from.name, read.from.address),
      ...(read.replyTo && { replyTo: composerAddress(read.replyTo.name, read.replyTo.address) }),
      to: composerAddress(singleLine(copy.name ?? '').slice(0, MAX_NAME_CHARS), parsed.address),
      messageId: checkMessageId(copy.messageId),
      date: checkDate(copy.date),
      headers: headerFields(read, scope),
      ...bodyOf(read, scope),
      // The composer writes into what it is given.
      attachments: read.attachments.map((attachment) => ({ ...attachment })),
      boundaryPrefix: '=_mutirao',
      baseBoundary: boundaryOf(copy.messageId),
      disableFileAccess: true,
      disableUrlAccess: true,
    }).compile();
    const bytes = wireBytes(root, encoded);
    if (bytes.length > MAX_COMPOSED_BYTES)
      throw new MessageError('', `is longer than ${MAX_COMPOSED_BYTES} bytes`);
    const smtputf8 = parsed.smtputf8 || read.from.smtputf8 || read.replyTo?.smtputf8 === true;
    return { bytes, to: parsed.address, smtputf8 };
  } catch (cause) {
    if (cause instanceof TemplateError) throw new MessageError('', cause.message, { cause });
    throw cause;
  }
}

function composerAddress(name: string, address: string): { name: string; address: string } {
  return { name: tidyValue(name), address };
}

function bodyOf(read: ReadSpec, scope: TemplateVariables): { text?: string; html?: string } {
  const text = read.text && bodyText(read.text.render(scope));
  const html = read.html && bodyText(read.html.render(scope));
  return { ...(text && { text }), ...(html && { html }) };
}

/** Line ends as the wire has them, and no NUL: even encoded it would be one again at the reader (RFC 5322 §4). */
function bodyText(text: string): string {
  return text.replaceAll('\0', '').replace(/\r\n|\r|\n/g, '\r\n');
}

/**
 * Fixed per batch, so that every attempt has the same bytes; not to be guessed before the batch exists, so that no
 * value can end a part. `=_` (the prefix) occurs in no encoded part.
 */
function boundaryOf(messageId: string): string {
  return createHash('sha256')
    .update(parseMessageId(messageId)?.batch ?? messageId)
    .digest('hex')
    .slice(0, 24);
}

function checkMessageId(messageId: string): string {
  if (!/^<[\x21-\x3b\x3d\x3f\x41-\x7e]{1,400}@[a-z0-9.-]{1,255}>$/i.test(messageId)) {
    throw new MessageError('messageId', 'is not a Message-ID');
  }
  return messageId;
}

function checkDate(date: Date): Date {
  if (Number.isNaN(date.getTime())) throw new MessageError('date', 'is not a date');
  return date;
}

import { AddressError, type Mailbox, parseMailbox } from './address.ts';
import { type Attachment, type AttachmentSpec, readAttachments } from './attachment.ts';
import { checkHeaderNames } from './header-fields.ts';
import { MessageError } from './message-error.ts';
import { compileTemplate, type Template } from './template.ts';
import { TemplateError } from './template-error.ts';
import type { TemplateMode } from './template-program.ts';
import { checkUnsubscribe } from './unsubscribe.ts';

/** The message of a batch. `subject`, `text`, `html`, header values and `listUnsubscribe` are templates. */
export interface MessageSpec {
  readonly from: string;
  readonly replyTo?: string;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly attachments?: readonly AttachmentSpec[];
  /** One http(s) or mailto URL, or a list of `<URL>` (RFC 2369). */
  readonly listUnsubscribe?: string;
  /** Adds `List-Unsubscribe-Post: List-Unsubscribe=One-Click` (RFC 8058). */
  readonly listUnsubscribePost?: boolean;
}

export interface HeaderTemplate {
  readonly name: string;
  readonly template: Template;
}

/** A checked spec with its templates compiled. */
export interface ReadSpec {
  readonly from: Mailbox;
  readonly replyTo: Mailbox | undefined;
  readonly subject: Template;
  readonly text: Template | undefined;
  readonly html: Template | undefined;
  readonly headers: readonly HeaderTemplate[];
  readonly unsubscribe: Template | undefined;
  readonly oneClick: boolean;
  readonly attachments: readonly Attachment[];
}

/** @throws MessageError naming the field */
export function readSpec(spec: MessageSpec): ReadSpec {
  const names = Object.keys(spec.headers ?? {});
  checkHeaderNames(names, spec.listUnsubscribe !== undefined);
  const text = spec.text ? template('text', spec.text, 'text') : undefined;
  const html = spec.html ? template('html', spec.html, 'html') : undefined;
  if (text === undefined && html === undefined) throw new MessageError('text', 'text or html must be given');
  const unsubscribe =
    spec.listUnsubscribe === undefined
      ? undefined
      : template('listUnsubscribe', spec.listUnsubscribe, 'header');
  const oneClick = spec.listUnsubscribePost === true;
  if (unsubscribe !== undefined) checkUnsubscribe(unsubscribe, oneClick);
  else if (oneClick) throw new MessageError('listUnsubscribePost', 'needs listUnsubscribe');
  return {
    from: mailbox('from', spec.from),
    replyTo: spec.replyTo === undefined ? undefined : mailbox('replyTo', spec.replyTo),
    subject: template('subject', spec.subject, 'header'),
    text,
    html,
    headers: names.map((name) => ({
      name,
      template: template(`headers.${name}`, spec.headers?.[name] ?? '', 'header'),
    })),
    unsubscribe,
    oneClick,
    attachments: readAttachments(spec.attachments ?? []),
  };
}

function template(field: string, source: string, mode: TemplateMode): Template {
  try {
    return compileTemplate(source, mode);
  } catch (cause) {
    if (cause instanceof TemplateError) throw new MessageError(field, cause.message, { cause });
    throw cause;
  }
}

function mailbox(field: string, text: string): Mailbox {
  try {
    return parseMailbox(text);
  } catch (cause) {
    if (cause instanceof AddressError) throw new MessageError(field, cause.message, { cause });
    throw cause;
  }
}

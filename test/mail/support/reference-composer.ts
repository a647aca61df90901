import { createHash } from 'node:crypto';
import * as base64 from 'nodemailer/lib/base64';
import MailComposer from 'nodemailer/lib/mail-composer';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import type MimeNode from 'nodemailer/lib/mime-node';
import * as qp from 'nodemailer/lib/qp';
import { parseAddress } from '../../../mail/address.ts';
import { tidyValue } from '../../../mail/header-fields.ts';
import { type MessageCopy, type MessageSpec, parseMessageId } from '../../../mail/index.ts';
import { type ReadSpec, readSpec } from '../../../mail/message-spec.ts';
import { singleLine, type TemplateVariables } from '../../../mail/template-program.ts';
import { unsubscribeHeader } from '../../../mail/unsubscribe.ts';

/** One message for one recipient, composed by nodemailer from the rendered templates: what every copy is compared with. */
export function composeWhole(spec: MessageSpec, copy: MessageCopy): Buffer {
  const read = readSpec(spec);
  const parsed = parseAddress(copy.address);
  if (!parsed.ok) throw new Error(parsed.reason);
  const scope: TemplateVariables = { name: copy.name, email: parsed.address, ...copy.variables };
  return treeBytes(
    new MailComposer({
      from: { name: tidyValue(read.from.name), address: read.from.address },
      ...(read.replyTo && { replyTo: { name: tidyValue(read.replyTo.name), address: read.replyTo.address } }),
      to: { name: tidyValue(singleLine(copy.name ?? '').slice(0, 256)), address: parsed.address },
      messageId: copy.messageId,
      date: copy.date,
      headers: headerFields(read, scope),
      ...bodyOf(read, scope),
      attachments: read.attachments.map((attachment) => ({ ...attachment })),
      boundaryPrefix: '=_mutirao',
      baseBoundary: createHash('sha256')
        .update(parseMessageId(copy.messageId)?.batch ?? copy.messageId)
        .digest('hex')
        .slice(0, 24),
      disableFileAccess: true,
      disableUrlAccess: true,
    }).compile(),
  );
}

type Field = {
  readonly key: string;
  readonly value: string | { readonly prepared: true; readonly foldLines: true; readonly value: string };
};

function headerFields(read: ReadSpec, scope: TemplateVariables): Field[] {
  const fields: Field[] = [];
  const add = (key: string, rendered: string): void => {
    const value = tidyValue(rendered);
    if (value !== '') fields.push(fieldOf(key, value));
  };
  add('Subject', read.subject.render(scope));
  for (const { name, template } of read.headers) add(name, template.render(scope));
  if (read.unsubscribe !== undefined) {
    add('List-Unsubscribe', unsubscribeHeader(read.unsubscribe.render(scope)));
    if (read.oneClick) add('List-Unsubscribe-Post', 'List-Unsubscribe=One-Click');
  }
  return fields;
}

/** What is plain goes out as it is, what looks like an encoded word is encoded, the rest is the composer's to encode. */
function fieldOf(key: string, value: string): Field {
  if (value.includes('=?')) {
    return { key, value: { prepared: true, foldLines: true, value: encodeWord(value, 'Q', 52) } };
  }
  if (/[^\t\x20-\x7e]/.test(value)) return { key, value };
  return { key, value: { prepared: true, foldLines: true, value } };
}

function bodyOf(read: ReadSpec, scope: TemplateVariables): { text?: string; html?: string } {
  const lines = (body: string): string => body.replaceAll('\0', '').replace(/\r\n|\r|\n/g, '\r\n');
  const text = read.text && lines(read.text.render(scope));
  const html = read.html && lines(read.html.render(scope));
  return { ...(text && { text }), ...(html && { html }) };
}

/** The bytes of a composed tree. `MimeNode.build()` gives the same through a dozen streams (the tests compare the two). */
export function treeBytes(root: MimeNode): Buffer {
  const text = nodeText(root);
  return Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`);
}

function nodeText(node: MimeNode): string {
  let text = `${node.buildHeaders()}\r\n\r\n`;
  if (node.content) text += encodedContent(node);
  if (!node.multipart) return text;
  let separator = '';
  for (const child of node.childNodes) {
    text += `${separator}--${node.boundary}\r\n${nodeText(child)}`;
    separator = '\r\n';
  }
  return `${text}\r\n--${node.boundary}--\r\n`;
}

function encodedContent(node: MimeNode): string {
  const { content } = node;
  const encoding = node.getTransferEncoding();
  if (Buffer.isBuffer(content)) return base64.wrap(base64.encode(content));
  if (typeof content !== 'string') throw new Error('a part has no content at hand');
  if (encoding === 'base64') return base64.wrap(base64.encode(content));
  return encoding === 'quoted-printable' ? qp.wrap(qp.encode(content)) : content;
}

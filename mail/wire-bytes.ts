import * as base64 from 'nodemailer/lib/base64';
import type MimeNode from 'nodemailer/lib/mime-node';
import * as qp from 'nodemailer/lib/qp';
import { MessageError } from './message-error.ts';

/** RFC 5322 §2.1.1, without CRLF. */
const MAX_LINE_OCTETS = 998;

/** Attachments encoded once for all recipients. */
export type EncodedContents = WeakMap<Buffer, string>;

/**
 * The bytes of a composed tree. `MimeNode.build()` gives the same bytes through a dozen streams and as many turns of the
 * event loop; all our contents are at hand, so this walks the tree at once. (The tests compare the two.)
 *
 * @throws MessageError when the bytes are not fit for the wire
 */
export function wireBytes(root: MimeNode, encoded: EncodedContents): Buffer {
  const text = nodeText(root, encoded);
  const bytes = Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`);
  checkBytes(bytes);
  return bytes;
}

function nodeText(node: MimeNode, encoded: EncodedContents): string {
  let text = `${node.buildHeaders()}\r\n\r\n`;
  if (node.content) text += encodedContent(node, encoded);
  if (!node.multipart) return text;
  let separator = '';
  for (const child of node.childNodes) {
    text += `${separator}--${node.boundary}\r\n${nodeText(child, encoded)}`;
    separator = '\r\n';
  }
  return `${text}\r\n--${node.boundary}--\r\n`;
}

function encodedContent(node: MimeNode, encoded: EncodedContents): string {
  const { content } = node;
  const encoding = node.getTransferEncoding();
  if (Buffer.isBuffer(content)) {
    if (encoding !== 'base64') throw new MessageError('', `an attachment is sent as ${encoding}`);
    let text = encoded.get(content);
    if (text === undefined) {
      text = base64.wrap(base64.encode(content));
      encoded.set(content, text);
    }
    return text;
  }
  if (typeof content !== 'string') throw new MessageError('', 'a part has no content at hand');
  if (encoding === 'base64') return base64.wrap(base64.encode(content));
  return encoding === 'quoted-printable' ? qp.wrap(qp.encode(content)) : content;
}

/**
 * The last gate: no NUL, no bare CR or LF (each would be read differently by different relays), no line beyond the
 * limit. Nothing gets here by a known way; what does is not sent.
 */
export function checkBytes(bytes: Buffer): void {
  if (bytes.includes(0)) throw new MessageError('', 'the composed message contains a NUL');
  let start = 0;
  for (let lf = bytes.indexOf(10); lf >= 0; lf = bytes.indexOf(10, start)) {
    if (bytes[lf - 1] !== 13) throw new MessageError('', 'the composed message contains a bare LF');
    if (lf - 1 - start > MAX_LINE_OCTETS) {
      throw new MessageError('', `the composed message has a line of more than ${MAX_LINE_OCTETS} octets`);
    }
    start = lf + 1;
  }
  if (start !== bytes.length) throw new MessageError('', 'the composed message does not end with a line end');
  for (let cr = bytes.indexOf(13); cr >= 0; cr = bytes.indexOf(13, cr + 1)) {
    if (bytes[cr + 1] !== 10) throw new MessageError('', 'the composed message contains a bare CR');
  }
}

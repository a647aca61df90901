import * as base64 from 'nodemailer/lib/base64';
import MailComposer from 'nodemailer/lib/mail-composer';
import type MimeNode from 'nodemailer/lib/mime-node';
import type { Mailbox } from './address.ts';
import type { Attachment } from './attachment.ts';
import { FieldWriter } from './field-writer.ts';
import { tidyValue } from './header-fields.ts';
import { MessageError } from './message-error.ts';

/** Which parts a copy has: one whose template renders to nothing is left out. */
export interface Shape {
  readonly text: boolean;
  readonly html: boolean;
}

export interface FrameField {
  readonly name: string;
  /** For errors, as in the spec. */
  readonly field: string;
  /** Its encoded value, empty when it is left out; undefined when it is filled in for each copy. */
  readonly fixed: string | undefined;
}

/** What all copies of a message have in common. */
export interface Frame {
  readonly from: Mailbox;
  readonly replyTo: Mailbox | undefined;
  /** Subject and what else was asked for, in order; no name twice. */
  readonly fields: readonly FrameField[];
  readonly attachments: readonly Attachment[];
}

/** A message in the order it is written: bytes that are the same in each copy, and what is filled in between. */
export type LayoutStep =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** A whole header field with its line end: the `index`-th of the frame, the recipient, the Message-ID or the Date. */
  | { readonly kind: 'field'; readonly index: number; readonly writer: FieldWriter }
  | { readonly kind: 'to' | 'messageId' | 'date' }
  /** The name of a part's transfer encoding; the encoded part. */
  | { readonly kind: 'encoding' | 'content'; readonly part: 'text' | 'html' };
export type Layout = readonly LayoutStep[];

/** Stand for what is filled in. That they are short and plain is all that counts: fields are found by their names. */
const PLACE = 'x';
const PLACE_ADDRESS = 'x@x.invalid';
const PLACE_ID = '<x@x.invalid>';
const PLACE_BODY = { text: 'text', html: 'html' } as const;

/** The encoded bytes of attachments, shared by the layouts of a message. */
export type EncodedAttachments = WeakMap<Buffer, Buffer>;

/**
 * Lets nodemailer compose the message once, with something short in each place that differs between copies, and cuts
 * it at those places.
 *
 * @param boundary what the boundaries of this message have in common
 */
export function layOut(frame: Frame, shape: Shape, boundary: string, encoded: EncodedAttachments): Layout {
  const root = new MailComposer({
    from: composerAddress(frame.from),
    ...(frame.replyTo && { replyTo: composerAddress(frame.replyTo) }),
    to: PLACE_ADDRESS,
    messageId: PLACE_ID,
    date: PLACE,
    headers: frame.fields.map(({ name, fixed }) => ({
      key: name,
      value: { prepared: true, foldLines: fixed !== undefined, value: fixed ?? PLACE },
    })),
    ...(shape.text && { text: PLACE_BODY.text }),
    ...(shape.html && { html: PLACE_BODY.html }),
    // The composer writes into what it is given.
    attachments: frame.attachments.map((attachment) => ({ ...attachment })),
    boundaryPrefix: '=_mutirao',
    baseBoundary: boundary,
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  const steps: LayoutStep[] = [];
  addNode(steps, root, frame.fields, encoded);
  return joined(steps);
}

function composerAddress({ name, address }: Mailbox): { name: string; address: string } {
  return { name: tidyValue(name), address };
}

function addNode(
  steps: LayoutStep[],
  node: MimeNode,
  fields: readonly FrameField[],
  encoded: EncodedAttachments,
): void {
  const part = partOf(node);
  for (const line of node.buildHeaders().split('\r\n')) addLine(steps, line, fields, part);
  addText(steps, '\r\n');
  if (part !== undefined) steps.push({ kind: 'content', part });
  else if (node.content) steps.push({ kind: 'bytes', bytes: attachmentBytes(node, encoded) });
  if (!node.multipart) return;
  node.childNodes.forEach((child, index) => {
    addText(steps, `${index === 0 ? '' : '\r\n'}--${node.boundary}\r\n`);
    addNode(steps, child, fields, encoded);
  });
  addText(steps, `\r\n--${node.boundary}--\r\n`);
}

function partOf(node: MimeNode): 'text' | 'html' | undefined {
  if (node.content === PLACE_BODY.text) return 'text';
  return node.content === PLACE_BODY.html ? 'html' : undefined;
}

/** A line of a header: the names of what is filled in occur once, since nobody else may add fields of that name. */
function addLine(
  steps: LayoutStep[],
  line: string,
  fields: readonly FrameField[],
  part: 'text' | 'html' | undefined,
): void {
  const name = line.slice(0, Math.max(line.indexOf(':'), 0));
  const index = fields.findIndex((field) => field.name.toLowerCase() === name.toLowerCase());
  const field = fields[index];
  if (field !== undefined && field.fixed === undefined) {
    steps.push({ kind: 'field', index, writer: new FieldWriter(name, field.field) });
  } else if (line === `To: ${PLACE_ADDRESS}`) steps.push({ kind: 'to' });
  else if (line === `Message-ID: ${PLACE_ID}`) steps.push({ kind: 'messageId' });
  else if (line === `Date: ${PLACE}`) steps.push({ kind: 'date' });
  else if (part !== undefined && name === 'Content-Transfer-Encoding') {
    addText(steps, `${name}: `);
    steps.push({ kind: 'encoding', part });
    addText(steps, '\r\n');
  } else addText(steps, `${line}\r\n`);
}

function addText(steps: LayoutStep[], text: string): void {
  steps.push({ kind: 'bytes', bytes: Buffer.from(text) });
}

function attachmentBytes(node: MimeNode, encoded: EncodedAttachments): Buffer {
  const { content } = node;
  const encoding = node.getTransferEncoding();
  if (!Buffer.isBuffer(content) || encoding !== 'base64') {
    throw new MessageError('attachments', `cannot be sent as ${encoding}`);
  }
  let bytes = encoded.get(content);
  if (bytes === undefined) {
    bytes = Buffer.from(base64.wrap(base64.encode(content)), 'latin1');
    encoded.set(content, bytes);
  }
  return bytes;
}

/** Bytes that follow each other become one step, but for long ones, which the layouts of a message share. */
function joined(steps: readonly LayoutStep[]): Layout {
  const result: LayoutStep[] = [];
  for (const step of steps) {
    const last = result.at(-1);
    if (step.kind === 'bytes' && last?.kind === 'bytes' && step.bytes.length + last.bytes.length < 4096) {
      result[result.length - 1] = { kind: 'bytes', bytes: Buffer.concat([last.bytes, step.bytes]) };
    } else result.push(step);
  }
  return result;
}

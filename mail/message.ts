import { createHash } from 'node:crypto';
import { type Mailbox, type ParsedAddress, parseAddress } from './address.ts';
import { Body, type BodyPieces, encodingOf, isEmpty, type TransferEncoding, writeBody } from './body.ts';
import { ByteWriter } from './byte-writer.ts';
import type {
  CompiledMessage,
  MessageCopy,
  MessageRecipient,
  RenderedMessage,
  RenderedTo,
} from './compiled-message.ts';
import { FieldWriter } from './field-writer.ts';
import { type EncodedAttachments, type Frame, type Layout, type LayoutStep, layOut } from './layout.ts';
import { MessageError } from './message-error.ts';
import { type MessageField, messageFields, ONE_CLICK } from './message-fields.ts';
import { MessageIdFamily, parseMessageId } from './message-id.ts';
import { type MessageSpec, type ReadSpec, readSpec } from './message-spec.ts';
import { RecipientCheck } from './recipient-check.ts';
import { recipientValue } from './recipient-field.ts';
import { contextsOf } from './scope.ts';
import { TemplateError } from './template-error.ts';
import type { Contexts } from './template-program.ts';
import { checkBytes } from './wire-bytes.ts';

/** A composed message, in bytes: above what relays take anyway. */
export const MAX_COMPOSED_BYTES = 32 * 1024 * 1024;

/**
 * Compiles the message of a batch once, to be rendered for each recipient.
 *
 * @throws MessageError naming the field to correct
 */
export function compileMessage(spec: MessageSpec): CompiledMessage {
  return new Composition(readSpec(spec));
}

/** Where messages are written before they are handed over, one behind the other. */
const OUT = new ByteWriter();

/** Takes back the bytes of a rendered message, by whoever knows that nobody will look at them again. */
export function recycle(bytes: Buffer): void {
  OUT.giveBack(bytes);
}

const TO = new FieldWriter('To', 'address');
const MESSAGE_ID = new FieldWriter('Message-ID', 'messageId');
const DATE = new FieldWriter('Date', 'date');

/** A text or html part of one copy. */
interface Part {
  readonly pieces: BodyPieces;
  readonly encoding: TransferEncoding;
}

/** What differs in one copy. */
interface Filling {
  readonly copy: MessageCopy;
  readonly to: ParsedAddress;
  readonly contexts: Contexts;
  readonly text: Part | undefined;
  readonly html: Part | undefined;
}

/**
 * A message composed once, by nodemailer, and cut at the places that differ between copies (`layOut`): a copy is written
 * from its beginning to its end, fixed bytes copied and values encoded in between.
 *
 * There is one layout for each set of parts that some copy has. It is made for the first such copy, whose bytes then pass
 * the last gate, and kept until a copy of another batch comes along, whose boundaries differ.
 */
class Composition implements CompiledMessage {
  readonly from: Mailbox;
  readonly required: readonly string[];
  readonly #fields: readonly MessageField[];
  readonly #text: Body | undefined;
  readonly #html: Body | undefined;
  readonly #frame: Frame;
  readonly #check: RecipientCheck;
  readonly #smtputf8: boolean;
  readonly #encoded: EncodedAttachments = new WeakMap();
  readonly #layouts = new Map<string, Layout>();
  #batch: string | undefined;
  /** Of the last copy, where its Message-ID is of our making. */
  #id: MessageIdFamily | undefined;
  #dateMs = Number.NaN;
  #date = '';

  constructor(read: ReadSpec) {
    this.from = read.from;
    this.#fields = messageFields(read);
    this.#text = read.text && new Body(read.text);
    this.#html = read.html && new Body(read.html);
    this.#frame = {
      from: read.from,
      replyTo: read.replyTo,
      fields: read.oneClick ? [...this.#fields, ONE_CLICK] : this.#fields,
      attachments: read.attachments,
    };
    this.required = requiredBy(read);
    this.#check = new RecipientCheck(this.required, this.#fields, [this.#text, this.#html]);
    this.#smtputf8 = read.from.smtputf8 || read.replyTo?.smtputf8 === true;
  }

  checkRecipient(recipient: MessageRecipient, parsed?: ParsedAddress): string | undefined {
    return this.#check.problem(recipient, parsed);
  }

  render(copy: MessageCopy): RenderedMessage {
    const { to, smtputf8 } = this.renderInto(copy, OUT);
    return { bytes: OUT.take(), to, smtputf8 };
  }

  renderInto(copy: MessageCopy, out: ByteWriter): RenderedTo {
    const to = parseAddress(copy.address);
    if (!to.ok) throw new MessageError('address', to.reason);
    const start = out.size;
    try {
      this.#write(out, copy, to);
    } catch (cause) {
      out.rewind(start);
      if (cause instanceof TemplateError) throw new MessageError('', cause.message, { cause });
      throw cause;
    }
    return { to: to.address, smtputf8: to.smtputf8 || this.#smtputf8 };
  }

  #write(out: ByteWriter, copy: MessageCopy, to: ParsedAddress): void {
    const start = out.size;
    const contexts = contextsOf(copy, to.address);
    const text = partOf(this.#text, contexts);
    const html = partOf(this.#html, contexts);
    const filling: Filling = { copy, to, contexts, text, html };
    this.#enterBatch(copy.messageId);
    this.#enterDate(copy.date);
    const shape = `${text ? 'text' : ''} ${html ? 'html' : ''}`;
    const known = this.#layouts.get(shape);
    const layout =
      known ??
      layOut(this.#frame, { text: !!text, html: !!html }, boundaryOf(this.#batch ?? ''), this.#encoded);
    for (const step of layout) this.#writeStep(out, step, filling);
    // A message of one part ends as that part does.
    if (!out.endsLine) out.crlf();
    if (out.size - start > MAX_COMPOSED_BYTES) {
      throw new MessageError('', `is longer than ${MAX_COMPOSED_BYTES} bytes`);
    }
    if (known === undefined) {
      checkBytes(out.since(start));
      this.#layouts.set(shape, layout);
    }
  }

  #writeStep(out: ByteWriter, step: LayoutStep, { copy, to, contexts, text, html }: Filling): void {
    switch (step.kind) {
      case 'bytes':
        out.bytes(step.bytes);
        break;
      case 'field':
        step.writer.write(out, this.#fields[step.index]?.value(contexts) ?? '');
        break;
      case 'to':
        TO.writeEncoded(out, recipientValue(copy.name, to), !to.smtputf8);
        break;
      case 'messageId':
        MESSAGE_ID.writeEncoded(out, copy.messageId, true);
        break;
      case 'date':
        DATE.writeEncoded(out, this.#date, true);
        break;
      case 'encoding':
        out.ascii((step.part === 'text' ? text : html)?.encoding ?? '');
        break;
      case 'content': {
        const part = step.part === 'text' ? text : html;
        if (part !== undefined) writeBody(out, part.encoding, part.pieces);
        break;
      }
      default:
        throw new Error(`unknown step ${step satisfies never}`);
    }
  }

  /** @throws MessageError */
  #enterBatch(messageId: string): void {
    if (this.#id?.isSibling(messageId)) return;
    const id = parseMessageId(messageId);
    this.#id = id && new MessageIdFamily(id);
    const batch = id?.batch ?? checkMessageId(messageId);
    if (batch === this.#batch) return;
    this.#batch = batch;
    this.#layouts.clear();
  }

  /** @throws MessageError */
  #enterDate(date: Date): void {
    const ms = date.getTime();
    if (ms === this.#dateMs) return;
    if (Number.isNaN(ms)) throw new MessageError('date', 'is not a date');
    this.#dateMs = ms;
    this.#date = date.toUTCString().replace(/GMT/, '+0000');
  }
}

function requiredBy(read: ReadSpec): readonly string[] {
  const templates = [
    read.subject,
    read.text,
    read.html,
    read.unsubscribe,
    ...read.headers.map((header) => header.template),
  ];
  const all = templates.flatMap((template) => template?.required ?? []);
  return [...new Set(all)].filter((name) => name !== 'email');
}

/** Undefined when it renders to nothing. @throws TemplateError */
function partOf(body: Body | undefined, contexts: Contexts): Part | undefined {
  if (body === undefined) return undefined;
  const pieces = body.pieces(contexts);
  return isEmpty(pieces) ? undefined : { pieces, encoding: encodingOf(pieces) };
}

/**
 * Fixed per batch, so that every attempt has the same bytes; not to be guessed before the batch exists, so that no
 * value can end a part. `=_` (the prefix) occurs in no encoded part.
 */
function boundaryOf(batch: string): string {
  return createHash('sha256').update(batch).digest('hex').slice(0, 24);
}

function checkMessageId(messageId: string): string {
  if (!/^<[\x21-\x3b\x3d\x3f\x41-\x7e]{1,400}@[a-z0-9.-]{1,255}>$/i.test(messageId)) {
    throw new MessageError('messageId', 'is not a Message-ID');
  }
  return messageId;
}

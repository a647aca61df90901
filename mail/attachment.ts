import { detectMimeType } from 'nodemailer/lib/mime-funcs';
import { MessageError } from './message-error.ts';

/** Attachments of one message. More are a mistake or an archive that should be one file. */
export const MAX_ATTACHMENTS = 100;
/** All attachments decoded, in bytes: relays refuse more than 10 to 50 MB, and base64 adds a third. */
export const MAX_ATTACHMENT_BYTES = 20 * 1024 * 1024;
/** File systems end names at 255. */
const MAX_FILENAME_CHARS = 255;
const MAX_CONTENT_TYPE_CHARS = 255;
const MAX_CID_CHARS = 255;

export interface AttachmentSpec {
  readonly filename: string;
  /** By the file name's extension when not given. */
  readonly contentType?: string;
  /** Base64. */
  readonly content: string;
  /** Content-ID without its brackets: the html shows it as `cid:…`. */
  readonly cid?: string;
}

/** A checked attachment in the form the composer takes. */
export interface Attachment {
  readonly filename: string;
  readonly contentType: string;
  readonly content: Buffer;
  readonly cid: string | undefined;
}

/** A type and its parameters, RFC 2045 §5.1, without comments and folds. */
const CONTENT_TYPE =
  /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?: ?; ?[\w!#$&^.+-]+=(?:[\w!#$&'*^.+%-]+|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))*$/;
/** They may not be encoded (RFC 2045 §6.4), so what is in them would go out as it is. */
const UNENCODED = /^(?:message|multipart)\//i;
/** What can stand in a Content-ID (RFC 2392) and in `cid:` in html without escapes. */
const CID = /^[\w!#$&'*+/=?^`{|}~.@-]+$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** @throws MessageError */
export function readAttachments(specs: readonly AttachmentSpec[]): readonly Attachment[] {
  if (specs.length > MAX_ATTACHMENTS) throw new MessageError('attachments', `more than ${MAX_ATTACHMENTS}`);
  let bytes = 0;
  return specs.map((spec, index) => {
    const field = `attachments[${index}]`;
    const attachment = readAttachment(spec, field);
    bytes += attachment.content.length;
    if (bytes > MAX_ATTACHMENT_BYTES) {
      throw new MessageError('attachments', `longer than ${MAX_ATTACHMENT_BYTES} bytes together`);
    }
    return attachment;
  });
}

function readAttachment(spec: AttachmentSpec, field: string): Attachment {
  const { filename, contentType, cid } = spec;
  if (filename === '' || filename.length > MAX_FILENAME_CHARS) {
    throw new MessageError(`${field}.filename`, `must have 1 to ${MAX_FILENAME_CHARS} characters`);
  }
  if (/[\p{Cc}\u2028\u2029/\\]/u.test(filename)) {
    throw new MessageError(`${field}.filename`, 'contains a line break, a control character or a slash');
  }
  if (
    contentType !== undefined &&
    (contentType.length > MAX_CONTENT_TYPE_CHARS || !CONTENT_TYPE.test(contentType))
  ) {
    throw new MessageError(`${field}.contentType`, 'is not a content type');
  }
  if (contentType !== undefined && UNENCODED.test(contentType)) {
    throw new MessageError(`${field}.contentType`, 'message/* and multipart/* cannot be attached as such');
  }
  if (cid !== undefined && (cid.length > MAX_CID_CHARS || !CID.test(cid))) {
    throw new MessageError(`${field}.cid`, 'is not a Content-ID');
  }
  return {
    filename,
    contentType: contentType ?? typeOf(filename),
    cid,
    content: decode(spec.content, `${field}.content`),
  };
}

function typeOf(filename: string): string {
  const type = detectMimeType(filename.split('.').pop() ?? '');
  return UNENCODED.test(type) ? 'application/octet-stream' : type;
}

function decode(content: string, field: string): Buffer {
  const base64 = content.replace(/[\r\n]+/g, '');
  // Buffer.from takes anything and drops what it does not understand.
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) throw new MessageError(field, 'is not base64');
  return Buffer.from(base64, 'base64');
}

/** The public face of `mail/`: addresses, templates, composing, Message-IDs, replies. No sockets. */
export {
  AddressError,
  type Mailbox,
  type ParsedAddress,
  parseAddress,
  parseMailbox,
  type RefusedAddress,
} from './address.ts';
export { type AttachmentSpec, MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS } from './attachment.ts';
export { ByteWriter } from './byte-writer.ts';
export {
  type Classified,
  classify,
  isAccepted,
  type SmtpFact,
  type SmtpPhase,
  type SmtpStage,
  type Verdict,
} from './classify.ts';
export type {
  CompiledMessage,
  MessageCopy,
  MessageRecipient,
  RenderedMessage,
  RenderedTo,
} from './compiled-message.ts';
export { DkimError, type DkimOptions, type DkimSigner, dkimSigner, SIGNED_FIELDS } from './dkim.ts';
export { compileMessage, recycle } from './message.ts';
export { MessageError } from './message-error.ts';
export { type MessageIdParts, messageIdOf, parseMessageId } from './message-id.ts';
export type { MessageSpec } from './message-spec.ts';
export { MAX_REPLY_CHARS, parseReply, replyForLog, replyForStore, type SmtpReply } from './reply.ts';
export { compileTemplate, MAX_TEMPLATE_CHARS, missingVariable, type Template } from './template.ts';
export { TemplateError } from './template-error.ts';
export type {
  TemplateMode,
  TemplatePart,
  TemplateParts,
  TemplateValue,
  TemplateVariables,
} from './template-program.ts';
export { specOf, type WireMessage } from './wire-message.ts';

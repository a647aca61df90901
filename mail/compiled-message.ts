import type { Mailbox, ParsedAddress } from './address.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { TemplateVariables } from './template-program.ts';

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

/** What a rendering says beside the bytes. */
export interface RenderedTo {
  /** For RCPT: the address as it was parsed, its domain in A-labels. */
  readonly to: string;
  /** Some address in it is not ASCII: the relay must offer SMTPUTF8. */
  readonly smtputf8: boolean;
}

export interface RenderedMessage extends RenderedTo {
  /**
   * Header and body with CRLF line ends, ending with CRLF. No line starts with a dot, so that there is nothing to stuff:
   * behind DATA goes what is here and then `.` CRLF, behind BDAT (RFC 3030) just what is here.
   */
  readonly bytes: Buffer;
}

export interface CompiledMessage {
  /** The sender, for MAIL and for Message-IDs. */
  readonly from: Mailbox;
  /**
   * Variables that every recipient needs: `name` (the recipient's or a variable) among them when it is used;
   * not `email`, which all have.
   */
  readonly required: readonly string[];
  /**
   * Why this recipient cannot get the message (`missing variable "x"`, …), or undefined. Does not throw.
   *
   * @param parsed the recipient's address, where it was parsed already: then `recipient.address` is not looked at
   */
  checkRecipient(recipient: MessageRecipient, parsed?: ParsedAddress): string | undefined;
  /**
   * The message for one recipient: the same bytes for the same input, at any time, in any process.
   *
   * @throws MessageError when it cannot be made for this recipient; trying again will not help
   */
  render(copy: MessageCopy): RenderedMessage;
  /**
   * Writes the same bytes behind what the writer holds already, e.g. the commands of an SMTP transaction, so that both
   * leave in one piece. Writes nothing when it throws.
   *
   * @throws MessageError as `render` does
   */
  renderInto(copy: MessageCopy, out: ByteWriter): RenderedTo;
}

import type { MessageSpec } from './message-spec.ts';

/** The message of a task or of a SUBMIT, as far as it matters here: the shape is the protocol's. */
export interface WireMessage {
  readonly FROM: string;
  readonly REPLY_TO?: string;
  readonly SUBJECT: string;
  readonly TEXT?: string;
  readonly HTML?: string;
  readonly HEADERS?: Readonly<Record<string, string>>;
  readonly LIST_UNSUBSCRIBE?: string;
  readonly ONE_CLICK?: boolean;
  readonly ATTACHMENTS?: readonly {
    readonly FILENAME: string;
    readonly CONTENT_TYPE?: string;
    readonly CONTENT: string;
    readonly CID?: string;
  }[];
}

/** The spec for `compileMessage` of a message as it came over the wire. */
export function specOf(message: WireMessage): MessageSpec {
  return {
    from: message.FROM,
    replyTo: message.REPLY_TO,
    subject: message.SUBJECT,
    text: message.TEXT,
    html: message.HTML,
    headers: message.HEADERS,
    listUnsubscribe: message.LIST_UNSUBSCRIBE,
    listUnsubscribePost: message.ONE_CLICK,
    attachments: message.ATTACHMENTS?.map((attachment) => ({
      filename: attachment.FILENAME,
      contentType: attachment.CONTENT_TYPE,
      content: attachment.CONTENT,
      cid: attachment.CID,
    })),
  };
}

/**
 * A message, or its rendering for one recipient, that must not be sent. `field` names what to correct, as in the spec:
 * `subject`, `headers.X-Campaign`, `attachments[0].content`; empty when it is the message as a whole.
 */
export class MessageError extends Error {
  override readonly name = 'MessageError';
  readonly code = 'MESSAGE_INVALID';
  readonly field: string;

  constructor(field: string, message: string, options?: ErrorOptions) {
    super(field === '' ? message : `${field}: ${message}`, options);
    this.field = field;
  }
}

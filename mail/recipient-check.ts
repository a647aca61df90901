import { type ParsedAddress, parseAddress } from './address.ts';
import type { Body } from './body.ts';
import type { MessageRecipient } from './compiled-message.ts';
import { MessageError } from './message-error.ts';
import type { MessageField } from './message-fields.ts';
import { MAX_NAME_CHARS } from './recipient-field.ts';
import { contextsOf } from './scope.ts';
import { isMissing } from './template.ts';
import { TemplateError } from './template-error.ts';
import { singleLine, type TemplatePath } from './template-program.ts';

/**
 * Says of a recipient what can be known before anything is sent. It runs on millions of rows, so it looks at lengths
 * first and renders only what could fail.
 */
export class RecipientCheck {
  readonly #required: readonly { readonly name: string; readonly path: TemplatePath }[];
  readonly #fields: readonly MessageField[];
  /** Without lists a body grows only by its values, which are bounded where they come from. */
  readonly #bodies: readonly Body[];

  constructor(
    required: readonly string[],
    fields: readonly MessageField[],
    bodies: readonly (Body | undefined)[],
  ) {
    this.#required = required.map((name) => ({ name, path: name.split('.') }));
    this.#fields = fields;
    this.#bodies = bodies.filter((body) => body !== undefined).filter((body) => body.hasSections);
  }

  /** Why this recipient cannot get the message, or undefined. Does not throw. */
  problem(recipient: MessageRecipient, parsed?: ParsedAddress): string | undefined {
    const to = parsed ?? parseAddress(recipient.address);
    if (!to.ok) return to.reason;
    const { name } = recipient;
    if (name !== undefined && name !== '') {
      if (name.length > MAX_NAME_CHARS) return `the name is longer than ${MAX_NAME_CHARS} characters`;
      if (singleLine(name) !== name) return 'the name contains a line break or a control character';
    }
    const contexts = contextsOf(recipient, to.address);
    for (const required of this.#required) {
      if (isMissing(required.path, contexts)) return `missing variable "${required.name}"`;
    }
    try {
      for (const field of this.#fields) field.check(contexts);
      for (const body of this.#bodies) body.pieces(contexts);
      return undefined;
    } catch (error) {
      if (error instanceof MessageError || error instanceof TemplateError) return error.message;
      throw error;
    }
  }
}

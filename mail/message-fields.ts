import { encodedValue, SAFE_CHARS } from './header-fields.ts';
import type { FrameField } from './layout.ts';
import type { ReadSpec } from './message-spec.ts';
import type { Template } from './template.ts';
import { type Contexts, lookUp, renderParts } from './template-program.ts';
import { isSurelyUrl, unsubscribeHeader } from './unsubscribe.ts';

/** One header field that the spec asks for, with the template of its value. */
export class MessageField implements FrameField {
  readonly name: string;
  readonly field: string;
  readonly fixed: string | undefined;
  readonly #template: Template;
  readonly #isUrl: boolean;
  /** The longest that its values together can be and do no harm, in characters; below zero: look at each value. */
  readonly #harmlessChars: number;

  /** @throws MessageError when its value is fixed and cannot be written */
  constructor(name: string, field: string, template: Template, isUrl = false) {
    this.name = name;
    this.field = field;
    this.#template = template;
    this.#isUrl = isUrl;
    this.#harmlessChars = harmlessChars(template, isUrl);
    this.fixed = template.isConstant
      ? encodedValue(field, this.value({ value: {}, outer: undefined }))
      : undefined;
  }

  /** Its value as rendered, not encoded. @throws MessageError, TemplateError */
  value(contexts: Contexts): string {
    const rendered = renderParts(this.#template.parts, 'header', contexts);
    return this.#isUrl ? unsubscribeHeader(rendered) : rendered;
  }

  /** @throws MessageError, TemplateError when it cannot be written with these values */
  check(contexts: Contexts): void {
    if (this.fixed !== undefined || this.#isHarmless(contexts)) return;
    encodedValue(this.field, this.value(contexts));
  }

  /** Values that are short enough make no problem, whatever is in them. */
  #isHarmless(contexts: Contexts): boolean {
    let room = this.#harmlessChars;
    for (const part of this.#template.parts) {
      if (room < 0) return false;
      if (part.kind !== 'value') continue;
      const value = lookUp(contexts, part.path);
      if (typeof value === 'string') room -= value.length;
      else if (typeof value === 'number' || typeof value === 'boolean') room -= String(value).length;
    }
    return room >= 0;
  }
}

/** What becomes of a character in a URL: UTF-8, three bytes, each escaped as `%XX`. */
const URL_CHARS_PER_CHAR = 9;

function harmlessChars(template: Template, isUrl: boolean): number {
  if (isUrl && !isSurelyUrl(template)) return -1;
  let chars = 0;
  for (const part of template.parts) {
    if (part.kind === 'section') return -1;
    if (part.kind === 'text') chars += part.text.length;
  }
  // The brackets around a URL are two.
  return isUrl ? Math.floor((SAFE_CHARS - 2) / URL_CHARS_PER_CHAR) - chars : SAFE_CHARS - chars;
}

/** Subject and the fields that the spec asks for, in this order. @throws MessageError */
export function messageFields(read: ReadSpec): readonly MessageField[] {
  const fields = [
    new MessageField('Subject', 'subject', read.subject),
    ...read.headers.map(({ name, template }) => new MessageField(name, `headers.${name}`, template)),
  ];
  if (read.unsubscribe !== undefined) {
    fields.push(new MessageField('List-Unsubscribe', 'listUnsubscribe', read.unsubscribe, true));
  }
  return fields;
}

/** RFC 8058 §3.1. */
export const ONE_CLICK: FrameField = {
  name: 'List-Unsubscribe-Post',
  field: 'listUnsubscribePost',
  fixed: 'List-Unsubscribe=One-Click',
};

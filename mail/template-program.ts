import { TemplateError } from './template-error.ts';

/** Most characters one template may render to: lists can make much of little. */
export const MAX_OUTPUT_CHARS = 4 * 1024 * 1024;
/** Most parts one rendering may visit: nested lists can cost time without any output. */
export const MAX_RENDER_STEPS = 200_000;

/** How values are written: escaped for HTML, as they are, or on a single line without control characters. */
export type TemplateMode = 'text' | 'html' | 'header';

/** What a recipient's variables are made of: plain JSON. */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly TemplateValue[]
  | { readonly [name: string]: TemplateValue };
export type TemplateVariables = { readonly [name: string]: TemplateValue };

/**
 * A compiled template is a list of parts. A template without sections is flat: fixed text and slots, so whoever
 * composes a message once for many recipients can cut it at its slots.
 */
export type TemplatePart<Text extends TextPart = TextPart> =
  | Text
  | { readonly kind: 'value'; readonly path: TemplatePath; readonly escape: boolean }
  | {
      readonly kind: 'section';
      readonly path: TemplatePath;
      readonly inverted: boolean;
      readonly parts: TemplateParts<Text>;
    };
export interface TextPart {
  readonly kind: 'text';
  readonly text: string;
}
export type TemplateParts<Text extends TextPart = TextPart> = readonly TemplatePart<Text>[];
/** A dotted name cut at its dots; empty for `{{.}}`, the current element of a list. */
export type TemplatePath = readonly string[];

/** The values in scope, innermost first. */
export interface Contexts {
  readonly value: TemplateValue;
  readonly outer: Contexts | undefined;
}

/** The first name is sought outwards; the others only in what it named (Mustache spec, "context precedence"). */
export function lookUp(contexts: Contexts, path: TemplatePath): TemplateValue {
  const first = path[0];
  if (first === undefined) return contexts.value;
  for (let at: Contexts | undefined = contexts; at !== undefined; at = at.outer) {
    if (!hasOwn(at.value, first)) continue;
    let value: TemplateValue = at.value[first];
    for (let i = 1; i < path.length; i++) {
      const name = path[i] ?? '';
      value = hasOwn(value, name) ? value[name] : undefined;
    }
    return value;
  }
  return undefined;
}

/** Own properties of objects only: no prototype, no `length`, no index into a list or a text. */
function hasOwn(value: TemplateValue, name: string): value is TemplateVariables {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name);
}

/** @throws TemplateError `TEMPLATE_TOO_LARGE` */
export function renderParts(parts: TemplateParts, mode: TemplateMode, contexts: Contexts): string {
  let output = '';
  for (const piece of piecesOf(parts, mode, contexts))
    output += typeof piece === 'string' ? piece : piece.text;
  return output;
}

/**
 * What a rendering consists of, in order: its fixed texts as they are in the template, and its values as they are
 * written into a template of that mode.
 *
 * @throws TemplateError `TEMPLATE_TOO_LARGE`
 */
export function piecesOf<Text extends TextPart>(
  parts: TemplateParts<Text>,
  mode: TemplateMode,
  contexts: Contexts,
): readonly (Text | string)[] {
  const pieces: (Text | string)[] = [];
  let chars = 0;
  let steps = 0;
  const visit = (list: TemplateParts<Text>, contexts: Contexts): void => {
    // Once per pass too: a section may be empty and its list long.
    steps++;
    for (const part of list) {
      if (++steps > MAX_RENDER_STEPS) throw tooLarge(`takes more than ${MAX_RENDER_STEPS} steps`);
      if (part.kind === 'text') {
        pieces.push(part);
        chars += part.text.length;
      } else if (part.kind === 'value') {
        const text = writeValue(lookUp(contexts, part.path), part.escape, mode);
        pieces.push(text);
        chars += text.length;
      } else {
        const value = lookUp(contexts, part.path);
        const list = Array.isArray(value) ? (value as readonly TemplateValue[]) : undefined;
        const holds = list ? list.length > 0 : Boolean(value);
        if (part.inverted) {
          if (!holds) visit(part.parts, contexts);
        } else if (list) {
          for (const element of list) visit(part.parts, { value: element, outer: contexts });
        } else if (holds) {
          visit(part.parts, { value, outer: contexts });
        }
      }
      if (chars > MAX_OUTPUT_CHARS) throw tooLarge(`renders to more than ${MAX_OUTPUT_CHARS} characters`);
    }
  };
  visit(parts, contexts);
  return pieces;
}

function tooLarge(message: string): TemplateError {
  return new TemplateError('TEMPLATE_TOO_LARGE', `the template ${message}`);
}

/**
 * A value as it is written into a template of that mode. What cannot be written (nothing, a list, an object, a
 * function) is the empty text.
 */
export function writeValue(value: unknown, escapes: boolean, mode: TemplateMode): string {
  let text: string;
  if (typeof value === 'string') text = value;
  else if (typeof value === 'number' || typeof value === 'boolean') text = String(value);
  else return '';
  if (mode === 'header') return singleLine(text);
  return mode === 'html' && escapes ? escapeHtml(text) : text;
}

/** Control characters would end the header or hide a part of it: each run of them becomes a space. */
export function singleLine(text: string): string {
  return text.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ');
}

const HTML_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => HTML_ESCAPES[character] ?? character);
}

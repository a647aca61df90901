import mustache from 'mustache';
import { TemplateError } from './template-error.ts';
import {
  type Contexts,
  lookUp,
  renderParts,
  type TemplateMode,
  type TemplatePart,
  type TemplateParts,
  type TemplatePath,
  type TemplateVariables,
} from './template-program.ts';

/** Longest template, in characters: mail clients clip a message at about 100 KB, and parsing costs ~100 times this. */
export const MAX_TEMPLATE_CHARS = 512 * 1024;
/** Longest tag or comment with its braces, in characters; the parser's time grows with the square of it. */
export const MAX_TAG_CHARS = 1024;
/** How deep sections may nest. */
export const MAX_SECTION_DEPTH = 16;

export interface Template {
  readonly mode: TemplateMode;
  readonly parts: TemplateParts;
  /** No tags at all: renders to the same for everybody. */
  readonly isConstant: boolean;
  /**
   * Dotted names of the variables it cannot do without: those written somewhere outside every section, or inside
   * inverted sections on other names only.
   */
  readonly required: readonly string[];
  /** @throws TemplateError `TEMPLATE_TOO_LARGE` when the output or the work exceeds its limit */
  render(variables: TemplateVariables): string;
}

/**
 * Compiles Mustache: `{{name}}`, `{{{name}}}`, `{{&name}}`, `{{#x}}…{{/x}}`, `{{^x}}…{{/x}}`, `{{! … }}`, dotted
 * names, `{{.}}`. Partials and changed delimiters are refused. Nothing is ever called and only own properties of plain
 * objects are read.
 *
 * @throws TemplateError
 */
export function compileTemplate(source: string, mode: TemplateMode): Template {
  checkSource(source, mode);
  const parts = source.includes('{{') ? compileTokens(parse(source), source, 0) : constantParts(source);
  const required = new Set<string>();
  collectRequired(parts, [], required);
  return {
    mode,
    parts,
    isConstant: parts.every((part) => part.kind === 'text'),
    required: [...required],
    render: (variables) => renderParts(parts, mode, { value: variables, outer: undefined }),
  };
}

/**
 * The first of the required variables that is missing: not there, null, or not something that can be written (a
 * list, an object). The empty string is there.
 */
export function missingVariable(
  required: readonly string[],
  variables: TemplateVariables,
): string | undefined {
  const contexts: Contexts = { value: variables, outer: undefined };
  return required.find((name) => isMissing(name.split('.'), contexts));
}

/** Whether a required variable is missing, see `missingVariable`. */
export function isMissing(path: TemplatePath, contexts: Contexts): boolean {
  const value = lookUp(contexts, path);
  return value === undefined || value === null || typeof value === 'object';
}

function constantParts(source: string): TemplateParts {
  return source === '' ? [] : [{ kind: 'text', text: source }];
}

function checkSource(source: string, mode: TemplateMode): void {
  if (source.length > MAX_TEMPLATE_CHARS) {
    throw new TemplateError(
      'TEMPLATE_TOO_LARGE',
      `the template is longer than ${MAX_TEMPLATE_CHARS} characters`,
    );
  }
  const bad = mode === 'header' ? /[\0-\x08\x0a-\x1f\x7f]/.exec(source) : /\0/.exec(source);
  if (bad) throw invalid(source, bad.index, 'the template contains a line break or a control character');
  checkTags(source);
}

/** Finds each tag as the parser will: what is unclosed, too long or not supported never reaches it. */
function checkTags(source: string): void {
  const opening = /\{\{\s*([#^/>{&=!]?)/g;
  for (let match = opening.exec(source); match !== null; match = opening.exec(source)) {
    const [text, kind] = match;
    if (kind === '>') throw invalid(source, match.index, 'partials ({{> … }}) are not supported');
    if (kind === '=')
      throw invalid(source, match.index, 'changing the delimiters ({{= … =}}) is not supported');
    const closing = kind === '{' ? '}}}' : '}}';
    const end = source.slice(0, match.index + MAX_TAG_CHARS).indexOf(closing, match.index + text.length);
    if (end < 0) throw invalid(source, match.index, `a tag is not closed within ${MAX_TAG_CHARS} characters`);
    opening.lastIndex = end + closing.length;
  }
}

type Token = readonly unknown[];

function parse(source: string): readonly Token[] {
  const writer = new mustache.Writer();
  // Its cache would keep every template ever compiled.
  (writer as { templateCache?: unknown }).templateCache = undefined;
  try {
    return writer.parse(source, ['{{', '}}']) as unknown as readonly Token[];
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : 'it does not parse';
    const place = / at (\d+)$/.exec(message);
    throw invalid(source, Number(place?.[1] ?? 0), message.replace(/ at \d+$/, ''), cause);
  }
}

function compileTokens(tokens: readonly Token[], source: string, depth: number): TemplateParts {
  const parts: TemplatePart[] = [];
  for (const token of tokens) {
    const [kind, text, position, , inner] = token as [string, string, number, number, (readonly Token[])?];
    switch (kind) {
      case 'text':
        parts.push({ kind: 'text', text });
        break;
      case '!':
        break;
      case 'name':
      case '&':
        parts.push({ kind: 'value', path: pathOf(text, source, position), escape: kind === 'name' });
        break;
      case '#':
      case '^': {
        if (depth >= MAX_SECTION_DEPTH) {
          throw invalid(source, position, `sections are nested deeper than ${MAX_SECTION_DEPTH}`);
        }
        const path = pathOf(text, source, position);
        parts.push({
          kind: 'section',
          path,
          inverted: kind === '^',
          parts: compileTokens(inner ?? [], source, depth + 1),
        });
        break;
      }
      default:
        throw invalid(source, position, `the tag {{${kind}${text}}} is not supported`);
    }
  }
  return parts;
}

function pathOf(name: string, source: string, position: number): TemplatePath {
  if (name === '.') return [];
  const path = name.split('.');
  if (name === '' || path.includes(''))
    throw invalid(source, position, 'a tag has no name, or a name with an empty part');
  if (/[{}\0-\x1f]/.test(name)) throw invalid(source, position, 'a name contains a brace or a line break');
  return path;
}

function invalid(source: string, position: number, message: string, cause?: unknown): TemplateError {
  return new TemplateError('TEMPLATE_INVALID', message, { source, position }, cause);
}

/** A section guards all that stands in it; an inverted one only its own name and what is below it. */
function collectRequired(parts: TemplateParts, guards: readonly string[], found: Set<string>): void {
  for (const part of parts) {
    if (part.kind === 'value' && part.path.length > 0) {
      const name = part.path.join('.');
      if (!guards.some((guard) => name === guard || name.startsWith(`${guard}.`))) found.add(name);
    } else if (part.kind === 'section' && part.inverted) {
      collectRequired(part.parts, [...guards, part.path.join('.')], found);
    }
  }
}

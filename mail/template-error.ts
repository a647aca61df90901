/**
 * `TEMPLATE_INVALID`: it does not parse or uses what is not supported; correct the template at the given place.
 * `TEMPLATE_TOO_LARGE`: the template, or what it renders to, exceeds a limit.
 */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly code: 'TEMPLATE_INVALID' | 'TEMPLATE_TOO_LARGE';
  /** Offset in the template in UTF-16 units, when the error has a place. */
  readonly position: number | undefined;
  /** Line of that place, counted from 1. */
  readonly line: number | undefined;

  constructor(
    code: TemplateError['code'],
    message: string,
    place?: { source: string; position: number },
    cause?: unknown,
  ) {
    const line = place?.source.slice(0, place.position).split('\n').length;
    super(line === undefined ? message : `${message} (line ${line})`, { cause });
    this.code = code;
    this.position = place?.position;
    this.line = line;
  }
}

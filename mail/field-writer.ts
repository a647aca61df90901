import type { ByteWriter } from './byte-writer.ts';
import { folded, LINE_CHARS } from './fold.ts';
import { encodedValue } from './header-fields.ts';

/** So many spaces in a row are not left as they are. */
const WIDE_SPACES = 20;
const SPACE = 32;
const EQUALS = 61;
const QUESTION = 63;

/** Writes one header field of every copy: the value is what differs. */
export class FieldWriter {
  readonly #field: string;
  readonly #start: string;
  readonly #startBytes: Buffer;

  /**
   * @param name as it is written
   * @param field for errors, as in the spec
   */
  constructor(name: string, field: string) {
    this.#field = field;
    this.#start = `${name}: `;
    this.#startBytes = Buffer.from(this.#start, 'latin1');
  }

  /**
   * Writes the field with its line end, encoded and folded; nothing when the value is empty.
   *
   * @throws MessageError when the value cannot be written
   */
  write(out: ByteWriter, rendered: string): void {
    if (rendered === '' || this.#writePlain(out, rendered)) return;
    this.writeEncoded(out, encodedValue(this.#field, rendered), true);
  }

  /** Most values are short and plain: they are looked at while they are written. False when this one is not. */
  #writePlain(out: ByteWriter, value: string): boolean {
    const { length } = value;
    const start = this.#startBytes;
    if (start.length + length >= LINE_CHARS) return false;
    if (value.charCodeAt(0) === SPACE || value.charCodeAt(length - 1) === SPACE) return false;
    out.reserve(LINE_CHARS + 2);
    const { buffer } = out;
    buffer.set(start, out.length);
    let at = out.length + start.length;
    let before = 0;
    let spaces = 0;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code < 0x20 || code > 0x7e || (code === QUESTION && before === EQUALS)) return false;
      if (code !== SPACE) spaces = 0;
      else if (++spaces >= WIDE_SPACES) return false;
      buffer[at++] = code;
      before = code;
    }
    buffer[at++] = 13;
    buffer[at++] = 10;
    out.length = at;
    return true;
  }

  /**
   * @param value encoded, without line breaks
   * @param isAscii else it is written as UTF-8 (RFC 6532)
   */
  writeEncoded(out: ByteWriter, value: string, isAscii: boolean): void {
    if (value === '') return;
    const field = this.#start + value;
    const lines = field.length < LINE_CHARS ? field : folded(field);
    if (isAscii) out.ascii(lines);
    else out.utf8(lines);
    out.crlf();
  }
}

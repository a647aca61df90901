/** Bytes of a stretch of memory that messages are written into, one behind the other. */
const STRETCH_BYTES = 64 * 1024;
/** When less than this is left, the next message begins a new stretch instead of being moved into one. */
const LEAST_ROOM_BYTES = 4 * 1024;
/** Whoever writes more than this at once does it by mistake. */
const MAX_BYTES = 256 * 1024 * 1024;
/** A stretch that grew beyond this for a large message is not kept for the next. */
const MAX_KEPT_BYTES = 1024 * 1024;
/** Stretches kept for use again; more mails of that size are hardly under way at once. */
const MAX_SPARE = 32;
/** Below this a loop is faster than a call into the runtime. */
const SHORT_CHARS = 24;

/**
 * Bytes in the making, which grow as they are written. What was taken is never touched again, and the next bytes go
 * behind it into the same stretch of memory as long as there is room: many small messages cost one allocation and are
 * never copied. Who knows when the bytes are done with can look at them with `since(0)` instead, and write the next
 * over them after `rewind(0)`: that costs no memory at all.
 *
 * `buffer` and `length` are open for the encoders of this folder: they reserve room, write, and advance `length`.
 */
export class ByteWriter {
  buffer = Buffer.allocUnsafeSlow(STRETCH_BYTES);
  /** Where the next byte goes. */
  length = 0;
  #start = 0;
  #lastTaken = 0;
  /** Memory in which nothing was written but the bytes of one `take`. */
  readonly #lent = new WeakSet<ArrayBuffer>();
  readonly #spare: Buffer<ArrayBuffer>[] = [];

  /** Bytes written since the last `take`. */
  get size(): number {
    return this.length - this.#start;
  }

  /** Makes room for so many bytes. `buffer` may be another one afterwards. @throws RangeError */
  reserve(bytes: number): void {
    if (this.buffer.length - this.length < bytes) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    const { size } = this;
    if (size + bytes > MAX_BYTES) throw new RangeError(`more than ${MAX_BYTES} bytes are written at once`);
    // A message is about as long as the one before: so that it need not move while it grows.
    const expected = Math.max(size + bytes, this.#lastTaken + (this.#lastTaken >> 3));
    const length = Math.max(STRETCH_BYTES, size === 0 ? expected : expected * 2);
    const spare = this.#spare.pop();
    const next = spare !== undefined && spare.length >= length ? spare : Buffer.allocUnsafeSlow(length);
    next.set(this.buffer.subarray(this.#start, this.length), 0);
    this.buffer = next;
    this.#start = 0;
    this.length = size;
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Writes ASCII. Whoever calls has looked that it is. */
  ascii(text: string): void {
    const { length } = text;
    this.reserve(length);
    if (length <= SHORT_CHARS) {
      const { buffer } = this;
      let at = this.length;
      for (let i = 0; i < length; i++) buffer[at++] = text.charCodeAt(i);
    } else this.buffer.write(text, this.length, 'latin1');
    this.length += length;
  }

  utf8(text: string): void {
    this.reserve(text.length * 3);
    this.length += this.buffer.write(text, this.length, 'utf8');
  }

  /** Whether the last bytes are CRLF. */
  get endsLine(): boolean {
    return this.size >= 2 && this.buffer[this.length - 1] === 10 && this.buffer[this.length - 2] === 13;
  }

  /** Ends a line. */
  crlf(): void {
    this.reserve(2);
    this.buffer[this.length++] = 13;
    this.buffer[this.length++] = 10;
  }

  /** The bytes written since `size` was this, as they are now. */
  since(size: number): Buffer {
    return this.buffer.subarray(this.#start + size, this.length);
  }

  /** Forgets what was written since `size` was this. */
  rewind(size: number): void {
    this.length = this.#start + size;
  }

  /** The bytes written since the last `take`. They belong to the caller and do not change any more. */
  take(): Buffer {
    const taken = this.buffer.subarray(this.#start, this.length);
    this.#lastTaken = taken.length;
    this.#start = this.length;
    const room = this.buffer.length - this.length;
    if (room < Math.max(LEAST_ROOM_BYTES, taken.length) || this.buffer.length > MAX_KEPT_BYTES) {
      if (taken.byteOffset === 0) this.#lent.add(taken.buffer);
      this.#next();
    }
    return taken;
  }

  /**
   * Takes back what was taken, by whoever knows that nobody will look at it again: a large message then costs no new memory. Bytes
   * that share theirs with others are left alone.
   */
  giveBack({ buffer }: Buffer): void {
    if (!(buffer instanceof ArrayBuffer) || !this.#lent.delete(buffer)) return;
    if (buffer.byteLength <= MAX_KEPT_BYTES && this.#spare.length < MAX_SPARE)
      this.#spare.push(Buffer.from(buffer));
  }

  /** Lets go of a stretch that is used up; the next is made when something is written. */
  #next(): void {
    this.buffer = NOTHING;
    this.#start = 0;
    this.length = 0;
  }
}

const NOTHING = Buffer.alloc(0);

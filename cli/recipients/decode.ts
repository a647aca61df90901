import { TextDecoder } from 'node:util';
import { CliError } from '../errors.ts';

/** Byte order marks that say what the file is, whatever anyone else says (WHATWG Encoding §6). */
const MARKS: readonly (readonly [encoding: string, mark: readonly number[]])[] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

export const DEFAULT_ENCODING = 'utf-8';

/**
 * Bytes as text, piece by piece. A byte order mark decides over `encoding` and is not part of the text. Bytes that the
 * encoding does not have are an error and not a replacement character: a damaged name must not go out to a customer.
 *
 * @throws CliError naming the file and what to try
 */
export async function* decode(
  bytes: AsyncIterable<Uint8Array>,
  encoding: string,
  file: string,
): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  for await (const piece of whole(bytes)) {
    decoder ??= decoderFor(markOf(piece) ?? encoding);
    yield decodePiece(decoder, piece, file);
  }
  if (decoder !== undefined) yield decodePiece(decoder, undefined, file);
}

/** The pieces, the first of them long enough for a byte order mark. */
async function* whole(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array();
  for await (const piece of bytes) {
    if (head === undefined) {
      yield piece;
      continue;
    }
    const joined: Uint8Array = Buffer.concat([head, piece]);
    head = joined.length < 3 ? joined : undefined;
    if (head === undefined) yield joined;
  }
  if (head !== undefined && head.length > 0) yield head;
}

function markOf(bytes: Uint8Array): string | undefined {
  return MARKS.find(([, mark]) => mark.every((byte, i) => bytes[i] === byte))?.[0];
}

/** @throws CliError when there is no such encoding */
export function decoderFor(encoding: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch (cause) {
    throw new CliError(`--encoding ${encoding}: there is no such encoding`, {
      hint: 'names are those of the web: utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis, …',
      cause,
    });
  }
}

function decodePiece(decoder: TextDecoder, piece: Uint8Array | undefined, file: string): string {
  try {
    return piece === undefined ? decoder.decode() : decoder.decode(piece, { stream: true });
  } catch (cause) {
    throw new CliError(`${file} is not ${decoder.encoding}: it has bytes that mean nothing there`, {
      hint: 'say what it is, for example --encoding windows-1252 for a file from Excel, or save it as UTF-8',
      cause,
    });
  }
}

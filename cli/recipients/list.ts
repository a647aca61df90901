import type { Row } from '../../client/index.ts';

/** Longest line that may be an address with a name, characters. */
const MAX_LINE_CHARS = 10_000;

/** `ann@example.net` or `Ann Lee <ann@example.net>`. The address itself is checked by the server. */
export function recipientOf(written: string, origin?: string): Row {
  const from = origin === undefined ? {} : { origin };
  const named = /^([^<>]*)<([^<>]*)>$/.exec(written);
  if (named === null) return { address: written, ...from };
  const address = named[2]?.trim() ?? '';
  const name = unquoted(named[1]?.trim() ?? '');
  return name === '' ? { address, ...from } : { address, name, variables: { name }, ...from };
}

function unquoted(name: string): string {
  return /^".*"$/.test(name) ? name.slice(1, -1).replace(/\\(.)/g, '$1') : name;
}

/** One address per line, with or without a name; blank lines are skipped. */
export async function* listRows(text: AsyncIterable<string>, file: string): AsyncGenerator<Row> {
  let line = 0;
  for await (const content of linesOf(text)) {
    line++;
    const written = content.trim();
    if (written !== '') yield recipientOf(written, `${file}:${line}`);
  }
}

/** Addresses with commas between them, as they are given on a command line. A comma in quotes does not part. */
export function* writtenRows(list: string): Generator<Row> {
  for (const match of list.matchAll(/(?:"(?:[^"\\]|\\.)*"|[^,"]|")+/g)) {
    const written = match[0].trim();
    if (written !== '') yield recipientOf(written);
  }
}

/** Lines with any line end. What is far too long to be an address is cut: it is refused anyway, and must not fill the memory. */
async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of text) {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS);
    yield* lines;
  }
  if (rest !== '') yield rest;
}

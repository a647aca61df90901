const CANDIDATES = [',', ';', '\t'] as const;

/** The delimiter of a CSV file by its header row: the candidate that stands there most often outside quotes. */
export function guessDelimiter(header: string): string {
  const unquoted = header.replace(/"(?:[^"]|"")*"/g, '');
  let best: string = CANDIDATES[0];
  let most = 0;
  for (const candidate of CANDIDATES) {
    const count = unquoted.split(candidate).length - 1;
    if (count > most) {
      best = candidate;
      most = count;
    }
  }
  return best;
}

/** Where the first row that says anything ends, or -1 when the text has no whole one yet. A line break in quotes does not end it. */
export function endOfHeader(text: string): number {
  let quoted = false;
  let blank = true;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') quoted = !quoted;
    if (!quoted && !blank && (character === '\n' || character === '\r')) return i;
    if (character !== '\n' && character !== '\r' && character !== ' ') blank = false;
  }
  return -1;
}

import type { SeqRange, SeqRanges } from '../../../protocol/index.ts';

/** Ranges as compact text, `0-499,510`: how a task keeps its recipients in one column. */
export function rangesToText(ranges: SeqRanges): string {
  let text = '';
  for (const [from, to] of ranges) {
    if (text !== '') text += ',';
    text += from === to ? from : `${from}-${to}`;
  }
  return text;
}

export function textToRanges(text: string): SeqRanges {
  if (text === '') return [];
  return text.split(',').map((part): SeqRange => {
    const dash = part.indexOf('-');
    if (dash < 0) return [Number(part), Number(part)];
    return [Number(part.slice(0, dash)), Number(part.slice(dash + 1))];
  });
}

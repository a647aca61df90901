/** A Markdown table; cells are escaped, empty columns stay. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map(() => '---')),
    ...rows.map((cells) => line(cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')))),
  ].join('\n');
}

export const code = (text: string): string => `\`${text}\``;

/** Tells a reader, and whoever wants to edit the page, where its text comes from. */
export const generatedFrom = (source: string): string =>
  `<!-- Generated from ${source} by "npm run docs". Edit there. -->`;

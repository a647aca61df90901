/** Lines of a Markdown table, which people can read as well: the first column to the left, figures to the right. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)];
}

/** A figure for people: one decimal where it is small; `?` where it is not known. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return '?';
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 });
}

export function range(min: number | null | undefined, max: number | null | undefined): string {
  return min === null || min === undefined ? '' : `${figure(min)}–${figure(max)}`;
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const CASES = 23;

/** Rows of the table of cases: number, and the test files without a note that says they go without it. */
function rows(): { readonly number: number; readonly files: readonly string[] }[] {
  const page = readFileSync(join(ROOT, 'docs/RELIABILITY.md'), 'utf8');
  return [...page.matchAll(/^\| (\d+) \|.*$/gm)].map(([row, number]) => ({
    number: Number(number),
    files: [...row.matchAll(/\]\(\.\.\/(test\/[^)]+)\)(?! \()/g)].map(([, file = '']) => file),
  }));
}

describe('the table of cases', () => {
  test('has all of them, in order', () => {
    expect(rows().map(({ number }) => number)).toEqual(Array.from({ length: CASES }, (_, i) => i + 1));
  });

  test.each(rows())('leads to tests that begin with the number of case $number', ({ number, files }) => {
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const names = readFileSync(join(ROOT, file), 'utf8').match(/['"`]cases? [\d, and]+:/g) ?? [];
      expect(names.flatMap((name) => name.match(/\d+/g) ?? []).map(Number), file).toContain(number);
    }
  });
});

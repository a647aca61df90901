import { existsSync, readFileSync } from 'node:fs';

/** The version of the package. Its description lies beside `cli/`, and one folder further up when this runs from `dist/`. */
export function packageVersion(): string {
  const file = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find(existsSync);
  if (file === undefined) return 'unknown';
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SCHEMA_FOLDER } from './documents.ts';

/** What differs between the documents and the files under `root`, one line of text each. */
export function findStale(root: string, documents: ReadonlyMap<string, string>): string[] {
  const wrong = [...documents]
    .filter(
      ([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text,
    )
    .map(([path]) => `${path} is not what the sources say`);
  return [...wrong, ...leftOver(root, documents).map((path) => `${path} is not generated any more`)];
}

/** Makes the files under `root` what the documents say. */
export function write(root: string, documents: ReadonlyMap<string, string>): void {
  for (const path of leftOver(root, documents)) rmSync(join(root, path));
  for (const [path, text] of documents) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

function leftOver(root: string, documents: ReadonlyMap<string, string>): string[] {
  const folder = join(root, SCHEMA_FOLDER);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => `${SCHEMA_FOLDER}/${name}`)
    .filter((path) => !documents.has(path));
}

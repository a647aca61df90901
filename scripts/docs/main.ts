import { fileURLToPath } from 'node:url';
import { documents } from './documents.ts';
import { findStale, write } from './folder.ts';
import { findBrokenLinks } from './links.ts';

/** `npm run docs` writes the generated documents; `npm run docs:check` fails when one is stale or a link leads nowhere. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const all = documents();

if (process.argv.includes('--check')) {
  const stale = findStale(root, all);
  const broken = findBrokenLinks(root);
  for (const problem of [...stale, ...broken]) console.error(problem);
  if (stale.length > 0) console.error('Run "npm run docs" and commit the result.');
  if (stale.length + broken.length === 0) console.log(`${all.size} documents are up to date`);
  else process.exitCode = 1;
} else {
  write(root, all);
  console.log(`${all.size} documents written`);
}

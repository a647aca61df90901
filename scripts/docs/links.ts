import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;
const CODE = /```[\s\S]*?```|`[^`\n]*`/g;
const ELSEWHERE = /^([a-z]+:|#)/;

/** Links of our Markdown pages to files that do not exist, one line of text each. */
export function findBrokenLinks(root: string): string[] {
  return globSync(['*.md', 'docs/**/*.md'], { cwd: root })
    .sort()
    .flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').replace(CODE, '').matchAll(LINK)]
        .map(([, target = '']) => target)
        .filter((target) => !ELSEWHERE.test(target))
        .map((target) => relative(root, join(root, dirname(page), target.replace(/#.*/, ''))))
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${page} links to ${path}, which does not exist`),
    );
}

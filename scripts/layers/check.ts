import type { Import } from './graph.ts';
import type { LayerRules } from './rules.ts';

/** Every import that the rules forbid, and every circle, as one line of text each. */
export function findProblems(imports: readonly Import[], rules: LayerRules): string[] {
  return [...wrongImports(imports, rules), ...circles(imports)];
}

function wrongImports(imports: readonly Import[], rules: LayerRules): string[] {
  const problems = new Set<string>();
  for (const { from, to } of imports) {
    const problem = whyWrong(folderOf(from), folderOf(to), rules);
    if (problem !== undefined) problems.add(`${from} imports ${to}: ${problem}`);
  }
  return [...problems].sort();
}

function whyWrong(from: string, to: string, rules: LayerRules): string | undefined {
  // Files beside package.json are settings of tools: they are not a layer.
  if (from === to || from === '') return undefined;
  const mayImport = rules[from];
  if (mayImport === undefined) return `${from}/ has no rule in scripts/layers/rules.ts`;
  if (mayImport === 'anything') return undefined;
  if (mayImport.includes(to)) return undefined;
  return `${from}/ may import ${mayImport.length === 0 ? 'no other folder' : mayImport.join(', ')}`;
}

function folderOf(file: string): string {
  const slash = file.indexOf('/');
  return slash === -1 ? '' : file.slice(0, slash);
}

/** One shortest circle for each group of files that reach each other. */
function circles(imports: readonly Import[]): string[] {
  const next = new Map<string, Set<string>>();
  for (const { from, to } of imports) next.set(from, (next.get(from) ?? new Set()).add(to));

  const problems: string[] = [];
  const told = new Set<string>();
  for (const file of [...next.keys()].sort()) {
    if (told.has(file)) continue;
    const path = shortestWayBack(file, next);
    if (path === undefined) continue;
    for (const member of path) told.add(member);
    problems.push(`import circle: ${path.join(' → ')}`);
  }
  return problems;
}

function shortestWayBack(
  start: string,
  next: ReadonlyMap<string, ReadonlySet<string>>,
): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const file of queue) {
    for (const imported of next.get(file) ?? []) {
      if (imported === start) {
        const path = [start];
        for (let at = file; at !== start; at = cameFrom.get(at) ?? start) path.unshift(at);
        return [start, ...path];
      }
      if (cameFrom.has(imported)) continue;
      cameFrom.set(imported, file);
      queue.push(imported);
    }
  }
  return undefined;
}

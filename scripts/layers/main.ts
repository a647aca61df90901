import { findProblems } from './check.ts';
import { readImports } from './graph.ts';
import { LAYERS } from './rules.ts';

/** `npm run layers [-- DIR]`: fails on an import that the rules forbid and on a circle of imports. */
const projectDir = process.argv[2] ?? '.';
const imports = readImports(projectDir);
const problems = findProblems(imports, LAYERS);
for (const problem of problems) console.error(problem);
if (imports.length === 0) console.error(`No import found in ${projectDir}: is there a tsconfig.json?`);
else console.log(`${imports.length} imports, ${problems.length} wrong`);
process.exitCode = problems.length === 0 && imports.length > 0 ? 0 : 1;

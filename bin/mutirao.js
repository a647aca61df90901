#!/usr/bin/env node
// Written so that an older Node can read it: the command itself cannot even be loaded there.
const NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  console.error(
    `mutirao needs Node ${NEEDED} or newer, this is ${process.versions.node}. Get it from https://nodejs.org, or run: npx -p node@${NEEDED} -p mutirao mutirao`,
  );
  process.exitCode = 1;
} else {
  const { useSmallHeap } = await import('../dist/config/small-heap.js');
  if (['server', 'worker'].includes(process.argv[2])) useSmallHeap();
  await import('../dist/cli/main.js');
}

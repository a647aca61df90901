import { useSmallHeap } from '../config/small-heap.ts';

useSmallHeap();

const { serverCommand } = await import('./command.ts');

try {
  await serverCommand().name('server').parseAsync();
} catch (error) {
  process.stderr.write(`server: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

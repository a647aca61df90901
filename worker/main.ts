import { useSmallHeap } from '../config/small-heap.ts';

useSmallHeap();

const { workerCommand } = await import('./command.ts');

try {
  await workerCommand().name('worker').parseAsync();
} catch (error) {
  process.stderr.write(`worker: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

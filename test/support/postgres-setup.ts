import type { TestProject } from 'vitest/node';
import { startPostgresBroker } from './postgres.ts';

/** Before the first test file and after the last one. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const broker = await startPostgresBroker();
  project.provide('postgresBroker', broker.path);
  return () => broker.stop();
}

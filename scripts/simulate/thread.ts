/** Plays the stories that it is asked for, one at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { BUGS } from './bugs.ts';
import { simulate } from './simulate.ts';

const { bug } = workerData as { readonly bug: string | undefined };
const options = bug === undefined ? {} : { bug: BUGS[bug] };

parentPort?.on('message', async (seed: number) => {
  parentPort?.postMessage(await simulate(seed, options));
});

import { Worker } from 'node:worker_threads';
import type { Story } from './simulate.ts';

export interface CrewOptions {
  readonly from: number;
  readonly seeds: number;
  readonly threads: number;
  readonly bug?: string | undefined;
  /** Whether the rest is not wanted any more, after this story. */
  readonly isEnough?: (story: Story) => boolean;
  readonly told?: (story: Story) => void;
}

/** Plays stories in several threads at a time. @returns them in the order of their seeds; up to the first that is enough, all of them */
export async function playAll(options: CrewOptions): Promise<Story[]> {
  const stories: Story[] = [];
  let next = options.from;
  let end = options.from + options.seeds;
  const run = async (): Promise<void> => {
    const thread = new Worker(new URL('./thread.ts', import.meta.url), { workerData: { bug: options.bug } });
    try {
      while (next < end) {
        const story = await play(thread, next++);
        stories.push(story);
        options.told?.(story);
        if (options.isEnough?.(story) === true) end = Math.min(end, story.seed + 1);
      }
    } finally {
      await thread.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.threads, options.seeds) }, run));
  return stories.filter(({ seed }) => seed < end).sort((a, b) => a.seed - b.seed);
}

function play(thread: Worker, seed: number): Promise<Story> {
  return new Promise((resolve, reject) => {
    const ended = (code: number): void => reject(new Error(`the thread of seed ${seed} ended with ${code}`));
    thread.once('error', reject);
    thread.once('exit', ended);
    thread.once('message', (story: Story) => {
      thread.off('error', reject);
      thread.off('exit', ended);
      resolve(story);
    });
    thread.postMessage(seed);
  });
}

import { createRequire } from 'node:module';
import { join } from 'node:path';

/** As much of BullMQ as we use; its own types are there only where it is installed. */
export interface BullMqLibrary {
  readonly Queue: new (
    name: string,
    options: { readonly connection: RedisAddress },
  ) => {
    addBulk(
      jobs: readonly { readonly name: string; readonly data: object; readonly opts: object }[],
    ): Promise<unknown>;
    waitUntilReady(): Promise<unknown>;
  };
  readonly Worker: new <Data>(
    name: string,
    processor: (job: { readonly data: Data }) => Promise<void>,
    options: {
      readonly connection: RedisAddress & { readonly maxRetriesPerRequest: null };
      readonly concurrency: number;
    },
  ) => {
    on(event: 'completed', listener: () => void): void;
    on(event: 'failed', listener: (job: unknown, error: Error) => void): void;
    waitUntilReady(): Promise<unknown>;
  };
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export const QUEUE = 'bench';

/** BullMQ out of its own package folder. */
export function loadBullMq(): BullMqLibrary {
  const folder = join(import.meta.dirname, '..', 'bullmq', 'package.json');
  return createRequire(folder)('bullmq') as BullMqLibrary;
}

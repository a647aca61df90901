import { z } from 'zod';
import { readBlocks } from './blocks.ts';
import { type OpenTask, openTasks } from './open-tasks.ts';
import { Reader } from './records.ts';

const HeadSchema = z.object({
  version: z.literal(1),
  generation: z.int().nonnegative(),
  worker: z.string().min(1),
  boot: z.string(),
  /** It came to its end as it was told to: what is open it could not report any more. */
  orderly: z.boolean(),
});

/** What stands first in a file of the journal. */
export type Head = z.infer<typeof HeadSchema>;

/**
 * What the files of a journal say of the process that wrote them. `unreadable`: something is lost, so that nobody knows what it had
 * begun. `none`: the files are new.
 */
export type Predecessor =
  | {
      readonly kind: 'known';
      readonly head: Head;
      readonly tasks: ReadonlyMap<number, OpenTask>;
      readonly slot: number;
    }
  | { readonly kind: 'unreadable'; readonly why: string }
  | { readonly kind: 'none' };

/** Reads the two files, of which the one with the higher generation counts. */
export function readPredecessor(files: readonly Buffer[]): Predecessor {
  const read = files.map((file, slot) => ({ slot, ...readBlocks(file) }));
  const valid = read.flatMap((one) => {
    const head = headOf(one.contents[0]);
    return head === undefined ? [] : [{ ...one, head }];
  });
  const latest = valid.sort((a, b) => b.head.generation - a.head.generation)[0];
  if (latest === undefined) {
    const isNew = read.every(({ contents, end }) => contents.length === 0 && end === 'orderly');
    return isNew ? { kind: 'none' } : { kind: 'unreadable', why: 'its beginning cannot be read' };
  }
  const { head, slot, contents, end } = latest;
  if (end === 'damaged') return { kind: 'unreadable', why: 'a part in its middle cannot be read' };
  try {
    return { kind: 'known', head, slot, tasks: openTasks(recordsOf(contents)) };
  } catch (error) {
    return { kind: 'unreadable', why: (error as Error).message };
  }
}

/** The contents of the blocks without the head of the first. */
export function recordsOf([first, ...others]: readonly Buffer[]): Buffer[] {
  if (first === undefined) return [];
  const reader = new Reader(first);
  reader.text();
  return [reader.rest, ...others];
}

function headOf(content: Buffer | undefined): Head | undefined {
  if (content === undefined) return undefined;
  try {
    return HeadSchema.parse(JSON.parse(new Reader(content).text() ?? ''));
  } catch {
    return undefined;
  }
}

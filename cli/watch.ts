import { type ConnectionFlags, connectBy } from './connection.ts';
import { EXIT } from './errors.ts';
import { batchJson, exitCodeOf, follow, summary } from './follow.ts';
import { InterruptedError, interruptible } from './interrupt.ts';
import type { Output } from './output.ts';
import { stderrCanvas } from './progress/canvas.ts';
import { ProgressView } from './progress/view.ts';

/** `mutirao watch`. @returns the exit code */
export async function runWatch(
  id: string,
  flags: ConnectionFlags & { quiet?: boolean },
  out: Output,
): Promise<number> {
  const view = new ProgressView(await stderrCanvas(flags.quiet === true));
  return interruptible(async (signal) => {
    await using client = await connectBy(flags, signal);
    try {
      const batch = await follow(client, id, view, signal);
      view.end();
      const { createdAt, finishedAt } = batch;
      out.say(
        summary(
          batch,
          finishedAt === undefined ? undefined : (finishedAt.getTime() - createdAt.getTime()) / 1000,
        ),
      );
      out.result(batchJson(batch));
      return exitCodeOf(batch, batch.rejected);
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
      view.end();
      out.note('the batch goes on without this command');
      out.result({ batch: id, interrupted: true });
      return EXIT.interrupted;
    } finally {
      view.end();
    }
  });
}

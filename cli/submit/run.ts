import { isOver, type MutiraoClient, type Submission, type Submitted } from '../../client/index.ts';
import { type ConnectionFlags, connectBy } from '../connection.ts';
import { CliError, EXIT } from '../errors.ts';
import { exitCodeOf, follow, summary } from '../follow.ts';
import { count } from '../format.ts';
import { InterruptedError, interruptible } from '../interrupt.ts';
import type { Output } from '../output.ts';
import { openProfile } from '../profile/store.ts';
import { stderrCanvas } from '../progress/canvas.ts';
import { ProgressView } from '../progress/view.ts';
import { type RecipientFormat, type RecipientSource, recipientSource } from '../recipients/source.ts';
import { RejectionReport } from './rejections.ts';
import { type SubmissionFlags, submissionOf } from './submission.ts';

/** All the flags of `mutirao submit`. */
export interface SubmitFlags extends ConnectionFlags, SubmissionFlags {
  readonly to: readonly string[];
  readonly format?: RecipientFormat;
  readonly encoding?: string;
  readonly delimiter?: string;
  readonly rejected?: string;
  readonly wait: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

interface Run {
  readonly flags: SubmitFlags;
  readonly client: MutiraoClient;
  readonly view: ProgressView;
  readonly out: Output;
  readonly startedAt: number;
}

/** `mutirao submit`: reads, uploads, and follows the batch to its end. @returns the exit code */
export async function runSubmit(flags: SubmitFlags, out: Output): Promise<number> {
  if (flags.to.includes('-') && (flags.text === '-' || flags.html === '-')) {
    throw new CliError('standard input can be either the recipients or the text');
  }
  const startedAt = performance.now();
  // Everything that can be wrong here is found before the server is asked for anything.
  const source = recipientSource(flags.to, flags);
  const submission = await submissionOf(flags, (await openProfile()).all());
  const view = new ProgressView(await stderrCanvas(flags.quiet === true));
  return interruptible(async (signal) => {
    await using client = await connectBy(flags, signal);
    const run: Run = { flags, client, view, out, startedAt };
    try {
      const submitted = await upload(run, submission, source, signal);
      return flags.wait ? await wait(run, submitted, signal) : leave(run, submitted);
    } finally {
      view.end();
    }
  });
}

async function upload(
  run: Run,
  submission: Submission,
  source: RecipientSource,
  signal: AbortSignal,
): Promise<Submitted> {
  const { client, view, flags } = run;
  const rejections = new RejectionReport((line) => view.note(line), flags.rejected);
  try {
    return await client.submit(submission, source.once ? source.rows() : () => source.rows(), {
      signal,
      onRejected: (rejection) => rejections.add(rejection),
      onProgress: (progress) => view.upload(progress),
      onRepeat: (error) => {
        view.note(`${error.message}; uploading again`);
        rejections.restart();
      },
    });
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new CliError('interrupted during the upload: what was uploaded is dropped', {
      hint: 'mutirao status shows what the server has',
      cause: error,
    });
  } finally {
    rejections.finish();
  }
}

async function wait(run: Run, submitted: Submitted, signal: AbortSignal): Promise<number> {
  const { client, view, out, startedAt } = run;
  announce(run, submitted);
  const batch = await follow(client, submitted.batch, view, signal).catch((error: unknown) => {
    if (!(error instanceof InterruptedError)) throw error;
    return undefined;
  });
  if (batch === undefined || !isOver(batch)) return goesOn(run, submitted.batch);
  view.end();
  const seconds = (performance.now() - startedAt) / 1000;
  const { counts } = batch;
  out.say(summary({ ...batch, rejected: submitted.rejected }, seconds));
  out.result({
    batch: batch.id,
    total: counts.total,
    sent: counts.sent,
    failed: counts.failed,
    unknown: counts.unknown,
    suppressed: counts.suppressed,
    cancelled: counts.cancelled,
    rejected: submitted.rejected,
    seconds: Math.round(seconds * 1000) / 1000,
    duplicates: submitted.duplicates,
    existing: submitted.existing,
  });
  return exitCodeOf(batch, submitted.rejected);
}

/** Says that a batch is on its way without us. */
function goesOn({ view, out, flags }: Run, batch: string): number {
  view.end();
  const server = flags.server === undefined ? '' : ` --server ${flags.server}`;
  out.note(`the batch goes on without this command; watch it with: mutirao watch ${batch}${server}`);
  out.result({ batch, interrupted: true });
  return EXIT.interrupted;
}

function leave(run: Run, submitted: Submitted): number {
  run.view.end();
  const { batch, accepted, rejected, duplicates, existing } = submitted;
  run.out.say(announcement(submitted));
  run.out.result({ batch, total: accepted, rejected, duplicates, existing });
  return rejected === 0 ? EXIT.allSent : EXIT.someFailed;
}

function announce({ view, flags }: Run, submitted: Submitted): void {
  if (flags.quiet !== true) view.note(announcement(submitted));
}

function announcement({ batch, accepted, rejected, duplicates, existing }: Submitted): string {
  const parts = [plural(accepted, 'recipient')];
  if (rejected > 0) parts.push(`${plural(rejected, 'row')} rejected`);
  if (duplicates > 0) parts.push(`${plural(duplicates, 'duplicate')} merged`);
  const before = existing ? ' was submitted before' : '';
  return `batch ${batch}${before}: ${parts.join(', ')}`;
}

function plural(number: number, word: string): string {
  return `${count(number)} ${word}${number === 1 ? '' : 's'}`;
}

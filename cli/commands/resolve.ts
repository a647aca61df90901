import { Command, InvalidArgumentError } from 'commander';
import type { Decision } from '../../client/index.ts';
import { type ConnectionFlags, connectBy, withConnection } from '../connection.ts';
import { CliError } from '../errors.ts';
import { batchJson } from '../follow.ts';
import { count } from '../format.ts';
import { Output } from '../output.ts';

interface Flags extends ConnectionFlags {
  readonly sent?: boolean;
  readonly retry?: boolean;
  readonly seq?: readonly number[];
  readonly json?: boolean;
}

const EXAMPLES = `
Look at them before with: mutirao unknown BATCH

Examples:
  mutirao resolve 01939c6e-6b1f-7000-8000-0000000000dd --retry
  mutirao resolve 01939c6e-6b1f-7000-8000-0000000000dd --sent --seq 17 18`;

/** `mutirao resolve BATCH`. Asks nothing: the decision is on the command line. */
export function resolveCommand(): Command {
  const command = new Command('resolve')
    .description('Say what became of recipients of which nobody knows whether they were reached')
    .argument('<batch>', 'identifier of the batch');
  return withConnection(command)
    .option('--sent', 'take them for sent: nothing is sent again')
    .option('--retry', 'send them again: some may get the mail twice')
    .option('--seq <n...>', 'only these recipients, by their numbers; otherwise all that are unknown', seqs)
    .option('--json', 'print the batch as one line of JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, flags: Flags) => {
      const out = new Output(flags.json === true);
      const decision = decisionOf(flags);
      await using client = await connectBy(flags);
      const before = await client.batch(id);
      if (before.counts.unknown === 0)
        throw new CliError(`batch ${id} has no unknown recipients, there is nothing to resolve`);
      const { batch, changed } = await client.resolve(id, decision, flags.seq);
      if (changed === 0)
        throw new CliError(`none of these recipients of batch ${id} is unknown`, {
          hint: `mutirao unknown ${id} lists those that are`,
        });
      if (!out.json) out.say(`batch ${id}: ${said(decision, changed)}${left(batch.counts.unknown)}`);
      out.result({ ...batchJson(batch), changed });
    });
}

function decisionOf({ sent, retry }: Flags): Decision {
  if (sent === true && retry === true) throw new CliError('give one of --sent and --retry, not both');
  if (sent === true) return 'sent';
  if (retry === true) return 'retry';
  throw new CliError('say what became of them: --sent takes them for sent, --retry sends them again');
}

function said(decision: Decision, changed: number): string {
  const who = changed === 1 ? '1 recipient' : `${count(changed)} recipients`;
  return decision === 'sent' ? `${who} taken for sent` : `sends to ${who} again, who may get it twice`;
}

function left(unknown: number): string {
  return unknown === 0 ? '' : `; ${count(unknown)} still unknown`;
}

function seqs(written: string, before: readonly number[] | undefined): readonly number[] {
  const seq = Number(written);
  if (!Number.isInteger(seq) || seq < 0) throw new InvalidArgumentError('must be a whole number.');
  return [...(before ?? []), seq];
}

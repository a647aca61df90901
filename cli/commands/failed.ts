import { Command } from 'commander';
import type { BatchRecipient, ListedState } from '../../client/index.ts';
import { type ConnectionFlags, connectBy, withConnection } from '../connection.ts';
import { CliError } from '../errors.ts';
import { count, dateTime, oneLine } from '../format.ts';
import { Output } from '../output.ts';

/** Width of the address column; longer ones push the rest to the right. */
const ADDRESS_CHARS = 36;

interface Flags extends ConnectionFlags {
  readonly deferred?: boolean;
  readonly unknown?: boolean;
  readonly maybeSent?: boolean;
  readonly json?: boolean;
}

/** `mutirao failed BATCH`. */
export function failedCommand(): Command {
  const command = new Command('failed')
    .description('List who was not reached: address, when, relay, and what it replied')
    .argument('<batch>', 'identifier of the batch')
    .option('--deferred', 'those that will be tried again instead')
    .option('--unknown', 'those of which nobody knows whether they arrived, instead')
    .option('--maybe-sent', 'those sent again although an earlier attempt may have arrived, instead');
  return withConnection(command)
    .option('--json', 'print one line of JSON for each')
    .addHelpText(
      'after',
      '\nExample:\n  mutirao failed 01939c6e-6b1f-7000-8000-0000000000dd --json > failed.ndjson',
    )
    .action(async (batch: string, flags: Flags) => {
      const out = new Output(flags.json === true);
      const state = stateOf(flags);
      await using client = await connectBy(flags);
      let listed = 0;
      for await (const recipient of client.list(batch, state)) {
        listed++;
        if (!out.json) out.say(line(recipient));
        out.result(recipient);
      }
      out.note(listed === 0 ? `no recipient of this batch is ${state}` : `${count(listed)} ${state}`);
    });
}

function stateOf(flags: Flags): ListedState {
  const asked: ListedState[] = [];
  if (flags.deferred === true) asked.push('deferred');
  if (flags.unknown === true) asked.push('unknown');
  if (flags.maybeSent === true) asked.push('maybe-sent');
  if (asked.length > 1) throw new CliError(`give one of --${asked.join(' and --')}, not both`);
  return asked[0] ?? 'failed';
}

function line({ address, at, relay, reply, dueAt, attempts }: BatchRecipient): string {
  const parts = [oneLine(address).padEnd(ADDRESS_CHARS), at === undefined ? '-'.padEnd(19) : dateTime(at)];
  parts.push(oneLine(relay ?? '-'), oneLine(reply ?? '-'));
  if (dueAt !== undefined) parts.push(`(attempt ${attempts}, next ${dateTime(dueAt)})`);
  return parts.join('  ');
}

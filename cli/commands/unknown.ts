import { Command, InvalidArgumentError } from 'commander';
import type { BatchRecipient } from '../../client/index.ts';
import { type ConnectionFlags, connectBy, withConnection } from '../connection.ts';
import { count, dateTime, oneLine } from '../format.ts';
import { Output } from '../output.ts';
import { table } from '../table.ts';

/** Characters of an address and of a reason in the table; programs get them whole. */
const ADDRESS_CHARS = 40;
const WHY_CHARS = 60;
/** Rows of one table unless --limit says otherwise: what a person reads. */
const LIMIT = 100;
const MAX_LIMIT = 10_000;

interface Flags extends ConnectionFlags {
  readonly limit: number;
  readonly after: number;
  readonly json?: boolean;
}

/** `mutirao unknown BATCH`. */
export function unknownCommand(): Command {
  const command = new Command('unknown')
    .description('List recipients of which nobody knows whether they were reached, and why')
    .argument('<batch>', 'identifier of the batch');
  return withConnection(command)
    .option('--limit <n>', 'recipients to list', whole(1, MAX_LIMIT), LIMIT)
    .option('--after <seq>', 'go on behind this recipient', whole(0, Number.MAX_SAFE_INTEGER), -1)
    .option('--json', 'print one line of JSON for each')
    .addHelpText(
      'after',
      '\nSay what became of them with: mutirao resolve BATCH --sent or --retry\n\nExample:\n  mutirao unknown 01939c6e-6b1f-7000-8000-0000000000dd --limit 20',
    )
    .action(async (batch: string, flags: Flags) => {
      const out = new Output(flags.json === true);
      await using client = await connectBy(flags);
      const { counts } = await client.batch(batch);
      const listed: BatchRecipient[] = [];
      let isMore = false;
      for await (const recipient of client.list(batch, 'unknown', { after: flags.after })) {
        isMore = listed.length === flags.limit;
        if (isMore) break;
        listed.push(recipient);
        out.result(recipient);
      }
      if (!out.json && listed.length > 0) out.say(unknownTable(listed));
      out.note(
        counts.unknown === 0 ? 'no recipient of this batch is unknown' : `${count(counts.unknown)} unknown`,
      );
      if (isMore) out.note(`there are more: --after ${listed.at(-1)?.seq}`);
    });
}

function unknownTable(recipients: readonly BatchRecipient[]): string {
  return table(
    [
      { title: 'SEQ', align: 'right' },
      { title: 'ADDRESS' },
      { title: 'WORKER' },
      { title: 'RELAY' },
      { title: 'WHEN' },
      { title: 'WHY' },
    ],
    recipients.map(({ seq, address, worker, relay, at, reply }) => [
      String(seq),
      oneLine(address, ADDRESS_CHARS),
      oneLine(worker ?? '-'),
      oneLine(relay ?? '-'),
      at === undefined ? '-' : dateTime(at),
      oneLine(reply ?? '-', WHY_CHARS),
    ]),
  );
}

function whole(least: number, most: number): (written: string) => number {
  return (written) => {
    const value = Number(written);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

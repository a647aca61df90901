import { Command } from 'commander';
import type { PossibleDuplicate } from '../../client/index.ts';
import { type ConnectionFlags, connectBy, withConnection } from '../connection.ts';
import { count, dateTime, oneLine } from '../format.ts';
import { Output } from '../output.ts';

/** Ranges of recipients named in one line; programs get all. */
const MAX_RANGES = 5;

interface Flags extends ConnectionFlags {
  readonly json?: boolean;
}

/** `mutirao duplicates BATCH`. */
export function duplicatesCommand(): Command {
  const command = new Command('duplicates')
    .description(
      'List what may have made mails of a batch arrive twice: when, which worker and relay, and why',
    )
    .argument('<batch>', 'identifier of the batch');
  return withConnection(command)
    .option('--json', 'print one line of JSON for each event')
    .addHelpText(
      'after',
      '\nThe recipients with their addresses: mutirao failed BATCH --maybe-sent\n\nExample:\n  mutirao duplicates 01939c6e-6b1f-7000-8000-0000000000dd',
    )
    .action(async (id: string, flags: Flags) => {
      const out = new Output(flags.json === true);
      await using client = await connectBy(flags);
      const batch = await client.batch(id);
      let events = 0;
      for await (const event of client.possibleDuplicates(id)) {
        events++;
        if (!out.json) out.say(line(event));
        out.result(event);
      }
      if (events === 0) out.note('nothing of this batch was sent twice or may have been');
      else
        out.note(
          `${count(batch.maybeSent)} maybe twice, ${count(batch.secondReports)} accepted twice for sure`,
        );
    });
}

function line({ at, seqs, recipients, worker, relay, why }: PossibleDuplicate): string {
  const ranges = seqs.slice(0, MAX_RANGES).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  const more = seqs.length > MAX_RANGES ? ', …' : '';
  const who = `${count(recipients)} ${recipients === 1 ? 'recipient' : 'recipients'} (${ranges.join(', ')}${more})`;
  return [
    dateTime(at),
    oneLine(why),
    `worker ${oneLine(worker ?? '-')}`,
    `relay ${oneLine(relay ?? '-')}`,
    who,
  ].join('  ');
}

import { Command, InvalidArgumentError } from 'commander';
import type { Batch, MutiraoClient } from '../../client/index.ts';
import { type ConnectionFlags, connectBy, withConnection } from '../connection.ts';
import { batchJson, description } from '../follow.ts';
import { count, dateTime, oneLine } from '../format.ts';
import { Output } from '../output.ts';
import { serverOverview } from '../server-overview.ts';
import { table } from '../table.ts';

/** Characters of a name or subject in the table of batches. */
const TITLE_CHARS = 32;

interface Flags extends ConnectionFlags {
  readonly limit: number;
  readonly json?: boolean;
}

/** `mutirao status [BATCH]`. */
export function statusCommand(): Command {
  const command = new Command('status')
    .description('Show how a batch is doing; without one, the server and its newest batches')
    .argument('[batch]', 'identifier of a batch');
  return withConnection(command)
    .option('--limit <n>', 'batches to list', limit, 10)
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  mutirao status\n  mutirao status 01939c6e-6b1f-7000-8000-0000000000dd',
    )
    .action(async (batch: string | undefined, flags: Flags) => {
      const out = new Output(flags.json === true);
      await using client = await connectBy(flags);
      if (batch === undefined) await showServer(client, flags, out);
      else await showBatch(client, batch, out);
    });
}

async function showBatch(client: MutiraoClient, id: string, out: Output): Promise<void> {
  const batch = await client.batch(id);
  if (!out.json) out.say(description(batch));
  out.result(batchJson(batch));
}

async function showServer(client: MutiraoClient, flags: Flags, out: Output): Promise<void> {
  const [server, batches] = await Promise.all([client.server(), client.batches({ limit: flags.limit })]);
  if (!out.json) {
    out.say(serverOverview(client.address, server));
    out.say(batches.length === 0 ? '\nno batches yet' : `\n${batchTable(batches)}`);
  }
  out.result({ server, batches: batches.map(batchJson) });
}

function batchTable(batches: readonly Batch[]): string {
  return table(
    [
      { title: 'BATCH' },
      { title: 'NAME OR SUBJECT' },
      { title: 'STATE' },
      { title: 'TOTAL', align: 'right' },
      { title: 'SENT', align: 'right' },
      { title: 'FAILED', align: 'right' },
      { title: 'LEFT', align: 'right' },
      { title: 'SUBMITTED' },
    ],
    batches.map(({ id, name, subject, state, counts, createdAt }) => [
      id,
      oneLine(name ?? subject, TITLE_CHARS),
      state,
      count(counts.total),
      count(counts.sent),
      count(counts.failed),
      count(counts.pending + counts.leased + counts.deferred),
      dateTime(createdAt),
    ]),
  );
}

function limit(written: string): number {
  const value = Number(written);
  if (!Number.isInteger(value) || value < 1 || value > 1_000)
    throw new InvalidArgumentError('must be 1 to 1000.');
  return value;
}

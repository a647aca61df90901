/**
 * Submits a batch and watches it to its end: the smallest useful program over the client library, to copy from.
 *
 *   node scripts/submit.ts --from news@example.org --subject 'Hello {{name}}' --text letter.txt --to people.csv
 *
 * `--to` is a CSV file whose header row names the variables (`email` is the address), or addresses with commas between
 * them. `mutirao submit` does the same with more comfort.
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse } from 'csv-parse';
import { connect, type Row } from '../client/index.ts';

const USAGE = `Usage: submit --to FILE.csv|ADDRESS,… [--from ADDRESS] [--subject TEXT] [--text FILE] [--key KEY]
              [--server ws://HOST:PORT] [--token TOKEN]`;

const readFlags = () =>
  parseArgs({
    options: {
      server: { type: 'string', default: process.env.MUTIRAO_SERVER ?? 'ws://127.0.0.1:8765' },
      token: { type: 'string', default: process.env.MUTIRAO_TOKEN },
      from: { type: 'string', default: 'news@example.org' },
      subject: { type: 'string', default: 'Hello' },
      text: { type: 'string' },
      to: { type: 'string', default: '' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;

/** The recipients, read while they are sent: a million rows take no more memory than ten. */
async function* recipients(to: string): AsyncGenerator<Row> {
  if (!existsSync(to)) {
    for (const address of to.split(',')) yield { address: address.trim() };
    return;
  }
  const csv = parse({ columns: true, bom: true, delimiter: [',', ';', '\t'], skip_empty_lines: true });
  for await (const row of createReadStream(to).compose(csv)) {
    yield { address: row.email, name: row.name, variables: row };
  }
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags.help || flags.to === '') {
    console.log(USAGE);
    return flags.help ? 0 : 1;
  }
  await using client = await connect({ server: flags.server, token: flags.token });
  const text = flags.text === undefined ? 'Hello!' : readFileSync(flags.text, 'utf8');
  const message = { from: flags.from, subject: flags.subject, text, key: flags.key };
  const submitted = await client.submit(message, () => recipients(flags.to), {
    onRejected: ({ row, address, reason }) => console.error(`row ${row}: ${address}: ${reason}`),
  });
  console.log(`batch ${submitted.batch}: ${submitted.accepted} recipients, ${submitted.rejected} rejected`);

  let failed = 0;
  for await (const { state, counts } of client.watch(submitted.batch)) {
    console.log(
      `${state}: ${counts.sent} of ${counts.total} sent, ${counts.failed} failed, ${counts.deferred} deferred`,
    );
    failed = counts.failed;
  }
  return failed === 0 ? 0 : 2;
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  return 1;
});

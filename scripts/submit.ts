/**
 * Submits a batch and watches it to its end: the smallest useful program over the client library, to copy from.
 *
 *   node scripts/submit.ts --from news@example.org --subject 'Hello {{name}}' --text letter.txt --to people.csv
 *
 * `--to` is a CSV file whose header row names the variables (`email` is the address), or addresses with commas between them.
 * `mutirao submit` does the same with more comfort.
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse } from 'csv-parse';
import { connect, type Row } from '../client/index.ts';

const { values: flags } = parseArgs({
  options: {
    server: { type: 'string', default: process.env.MUTIRAO_SERVER ?? 'ws://127.0.0.1:8765' },
    token: { type: 'string', default: process.env.MUTIRAO_TOKEN },
    from: { type: 'string', default: 'news@example.org' },
    subject: { type: 'string', default: 'Hello' },
    text: { type: 'string' },
    to: { type: 'string', default: '' },
    key: { type: 'string' },
  },
});

/** The recipients, read while they are sent: a million rows take no more memory than ten. */
async function* recipients(): AsyncGenerator<Row> {
  if (!existsSync(flags.to)) {
    for (const address of flags.to.split(',')) yield { address: address.trim() };
    return;
  }
  const rows = createReadStream(flags.to).pipe(parse({ columns: true, bom: true, skip_empty_lines: true }));
  for await (const row of rows) yield { address: row.email, name: row.name, variables: row };
}

await using client = await connect({ server: flags.server, token: flags.token });

const submitted = await client.submit(
  {
    from: flags.from,
    subject: flags.subject,
    text: flags.text === undefined ? 'Hello!' : readFileSync(flags.text, 'utf8'),
    key: flags.key,
  },
  recipients,
  { onRejected: ({ row, address, reason }) => console.error(`row ${row}: ${address}: ${reason}`) },
);
console.log(`batch ${submitted.batch}: ${submitted.accepted} recipients, ${submitted.rejected} rejected`);

for await (const { state, counts } of client.watch(submitted.batch)) {
  console.log(
    `${state}: ${counts.sent} sent, ${counts.failed} failed, ${counts.deferred} deferred of ${counts.total}`,
  );
  if (counts.failed > 0) process.exitCode = 2;
}

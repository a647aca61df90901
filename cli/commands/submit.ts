import { Command, InvalidArgumentError, Option } from 'commander';
import { withConnection } from '../connection.ts';
import { Output } from '../output.ts';
import type { SubmitFlags } from '../submit/run.ts';
import { collect } from './collect.ts';

const HELP = `
About recipients:
  A CSV file's header row names the variables: its column "email" is the address, "name" also the display name, and
  every column is a {{variable}} of the message. Commas, semicolons and tabs are recognised. A text file has one
  address per line. Rows that are wrong are listed and do not stop the others, unless --strict is given.

Exit code: 0 every row was sent, 1 an error, 2 some rows were not sent.

Examples:
  mutirao submit --from news@example.org --subject 'Hello {{name}}' --text letter.txt --to people.csv
  mutirao submit --from news@example.org --subject Report --html report.html --attach report.pdf \\
    --to ann@example.net,rui@example.net --key report-2026-01
  sqlite3 -csv -header shop.db 'select email, name from customers' |
    mutirao submit --from shop@example.org --subject Sale --text sale.txt --to - --format csv --no-wait --json`;

/** `mutirao submit`. */
export function submitCommand(): Command {
  const command = new Command('submit')
    .description('Send a message to a list of people, and follow it to the end')
    .optionsGroup('Message:')
    .option('--from <mailbox>', "sender, such as 'News <news@example.org>' (profile)")
    .option('--reply-to <mailbox>', 'where answers go (profile)')
    .requiredOption('--subject <text>', 'subject; may have {{variables}}, like text, html and headers')
    .option('--text <file>', 'file with the text, UTF-8; - for standard input')
    .option('--html <file>', 'file with the html, UTF-8; - for standard input')
    .option('--header <field>', "further header field, such as 'X-Campaign: spring' (repeatable)", collect)
    .option('--unsubscribe <url>', 'List-Unsubscribe: an https:// or mailto: address')
    .option('--one-click', 'the https:// address of --unsubscribe takes one-click POSTs (RFC 8058)')
    .option('--attach <file>', 'attach a file (repeatable)', collect)
    .optionsGroup('Recipients:')
    .requiredOption('--to <who>', 'FILE.csv, FILE.txt, addresses with commas, or - (repeatable)', collect)
    .addOption(
      new Option('--format <format>', 'what the file is, where its name does not tell').choices([
        'csv',
        'txt',
      ]),
    )
    .option('--encoding <name>', 'encoding of the file, such as windows-1252 (default: utf-8)')
    .option('--delimiter <character>', 'delimiter of a CSV file, or "tab" (default: found out)', delimiter)
    .option('--strict', 'one wrong row refuses the whole batch')
    .option('--rejected <file>', 'write all rejected rows and their reasons to a CSV file')
    .optionsGroup('Batch:')
    .option('--key <key>', 'makes the submission safe to repeat: the same key is the same batch')
    .option('--name <text>', 'name of the batch, for people')
    .option('--relay <name>', 'use only this relay (repeatable)', collect)
    .addOption(
      new Option('--on-unknown <policy>', 'mail of which nobody knows whether it arrived').choices([
        'retry',
        'hold',
      ]),
    )
    .option('--retry-for <seconds>', 'give a recipient up after so many seconds', seconds)
    .option('--expires <when>', 'send nothing after so many seconds, or after a time', expires);
  return withConnection(command)
    .option('--no-wait', 'end when the batch is accepted instead of when it is sent')
    .option('--quiet', 'no progress')
    .option('--json', 'print the outcome as one line of JSON, and nothing else on standard output')
    .addHelpText('after', HELP)
    .action(async (flags: SubmitFlags) => {
      const { runSubmit } = await import('../submit/run.ts');
      process.exitCode = await runSubmit(flags, new Output(flags.json === true));
    });
}

function delimiter(written: string): string {
  if (written === 'tab' || written === '\\t') return '\t';
  if ([...written].length !== 1 || /["\r\n]/.test(written))
    throw new InvalidArgumentError('must be one character, or "tab".');
  return written;
}

/** Seconds from now, or a time such as 2026-12-24T18:00:00Z; without a zone it is the reader's own. */
function expires(written: string): number | Date {
  if (/^\d+(\.\d+)?$/.test(written)) return seconds(written);
  const at = /^\d{4}-\d{2}-\d{2}([T ]|$)/.test(written) ? new Date(written) : undefined;
  if (at !== undefined && !Number.isNaN(at.getTime())) return at;
  throw new InvalidArgumentError('must be a number of seconds, or a time such as 2026-12-24T18:00:00Z.');
}

function seconds(written: string): number {
  const value = Number(written);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('must be a number of seconds.');
  return value;
}

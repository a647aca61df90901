import { Command, InvalidArgumentError } from 'commander';
import { RULES } from './behaviour.ts';
import { SinkStartError } from './errors.ts';
import { writeList } from './list.ts';
import type { SinkOptionsInput } from './options.ts';
import { type Sink, startSink } from './sink.ts';
import { startStatusLine } from './status-line.ts';
import { summary } from './summary.ts';

/** The sink's options as commander reads them from the command line; seconds and milliseconds as the flags say. */
interface Flags {
  readonly port: number;
  readonly host: string;
  readonly hostname?: string;
  readonly latency?: number;
  readonly rate?: number;
  readonly rateAction?: 'slow' | 'refuse';
  readonly maxConnections?: number;
  readonly maxSize?: number;
  readonly pipelining: boolean;
  readonly smtputf8: boolean;
  readonly eightbitmime: boolean;
  readonly chunking?: boolean;
  readonly tls?: 'off' | 'starttls' | 'implicit';
  readonly requireTls?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly auth?: 'off' | 'optional' | 'required';
  readonly user?: string[];
  readonly authFails?: boolean;
  readonly greeting?: number;
  readonly slow?: number;
  readonly greylistTimes?: number;
  readonly refuseRate?: number;
  readonly seed?: number;
  readonly downEvery?: number;
  readonly downFor?: number;
  readonly mbox?: string;
  readonly record?: string;
  readonly list?: string;
  readonly json?: boolean;
}

/** The `sink` command, for the command line to mount; alone, it is a program. */
export function sinkCommand(): Command {
  return new Command('sink')
    .description('A scripted SMTP server to try things against: takes every mail, delivers none, counts all')
    .option('--port <n>', 'port to listen on; 0 takes a free one', number, 2525)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--hostname <name>', 'name said in the greeting')
    .option('--latency <ms>', 'every reply comes that much later, as over a distance', number)
    .option('--rate <n>', 'messages accepted per second, overall', number)
    .option('--rate-action <slow|refuse>', 'beyond the rate: reply later (default), or 451 to RCPT')
    .option('--max-connections <n>', 'connections beyond are sent away with 421', number)
    .option('--max-size <bytes>', 'largest message', number)
    .option('--no-pipelining', 'do not offer PIPELINING; sending ahead is then an error')
    .option('--no-smtputf8', 'do not offer SMTPUTF8')
    .option('--no-eightbitmime', 'do not offer 8BITMIME')
    .option(
      '--chunking',
      'offer CHUNKING (BDAT), as most relays do; off by default, so that mail comes by DATA',
    )
    .option('--tls <off|starttls|implicit>', 'how TLS is offered (default off)')
    .option('--require-tls', 'refuse mail before STARTTLS')
    .option('--tls-cert <file>', 'PEM certificate; without, a self-signed one is made')
    .option('--tls-key <file>', 'PEM key of the certificate')
    .option('--auth <off|optional|required>', 'whether AUTH PLAIN and LOGIN are offered (default off)')
    .option('--user <user:password>', 'credentials that are right (repeatable); none: any are', collect)
    .option('--auth-fails', 'answer every AUTH with 535')
    .option('--greeting <code>', 'greet with this code: 421 or 554 refuse everybody', number)
    .option('--slow <ms>', 'how late slow- recipients are answered (default 3000)', number)
    .option('--greylist-times <n>', 'how often greylist- recipients are put off (default 1)', number)
    .option('--refuse-rate <p>', 'chance, 0 to 1, that any recipient is answered 451', number)
    .option('--seed <n>', 'seed of that chance', number)
    .option('--down-every <s>', 'go down every so many seconds', number)
    .option('--down-for <s>', 'and stay down so many seconds (default 5)', number)
    .option('--mbox <file>', 'append every message to this file')
    .option('--record <file>', 'append a JSON line per accepted recipient to this file, before the reply')
    .option('--list <file>', 'at the end, write a JSON line per Message-ID and recipient')
    .option('--json', 'at the end, print the report as one line of JSON')
    .addHelpText('after', `\n${rulesHelp()}`)
    .action(run);
}

function rulesHelp(): string {
  const rows = [
    ...RULES.map(({ prefix, help }) => [`${prefix}-…@`, help] as const),
    ['450-…@, 554-…@', 'RCPT is answered with that code (421 also closes)'] as const,
    ['dot452-…@', 'the final dot is answered with that code'] as const,
    ['…once-…@', 'any of these, the first time for that address only'] as const,
  ];
  const lines = rows.map(([prefix, help]) => `  ${prefix.padEnd(20)}${help}`);
  return [
    'Recipients choose how they are treated by how their address begins:',
    ...lines,
    'What is said of the final dot holds for the last BDAT chunk too.',
  ].join('\n');
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function optionsOf(flags: Flags): SinkOptionsInput {
  return {
    host: flags.host,
    port: flags.port,
    hostname: flags.hostname,
    latencyMs: flags.latency,
    rate: flags.rate,
    rateAction: flags.rateAction,
    maxConnections: flags.maxConnections,
    maxMessageBytes: flags.maxSize,
    pipelining: flags.pipelining,
    smtpUtf8: flags.smtputf8,
    eightBitMime: flags.eightbitmime,
    chunking: flags.chunking,
    tls: flags.tls,
    requireTls: flags.requireTls,
    tlsCert: flags.tlsCert,
    tlsKey: flags.tlsKey,
    auth: flags.auth ?? (flags.user === undefined ? undefined : 'optional'),
    users: flags.user,
    authFails: flags.authFails,
    greeting: flags.greeting,
    slowMs: flags.slow,
    greylistTimes: flags.greylistTimes,
    refuseRate: flags.refuseRate,
    seed: flags.seed,
    downEvery: flags.downEvery,
    downFor: flags.downFor,
    mbox: flags.mbox,
    record: flags.record,
  };
}

/** Flags that are not the option's name in kebab case. */
const FLAGS: Readonly<Record<string, string>> = {
  latencyMs: '--latency',
  maxMessageBytes: '--max-size',
  slowMs: '--slow',
  users: '--user',
};

function flagOf(key: string): string {
  return FLAGS[key] ?? `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

async function run(flags: Flags): Promise<void> {
  let sink: Sink;
  try {
    sink = await startSink(optionsOf(flags), {
      down: () => say('Sink is down'),
      up: () => say('Sink is up'),
    });
  } catch (error) {
    if (!(error instanceof SinkStartError)) throw error;
    const { key = '' } = error;
    process.stderr.write(`${key === '' ? '' : flagOf(key)}${error.message.slice(key.length)}\n`);
    process.exitCode = 1;
    return;
  }
  say(`Sink listening on ${sink.url}${extras(sink)}. Ctrl-C ends it.`);
  const statusLine = process.stderr.isTTY ? startStatusLine(sink, process.stderr) : undefined;
  await untilSignal();
  statusLine?.stop();
  await sink.stop();
  if (flags.list !== undefined) writeListOrSayWhyNot(sink, flags.list);
  if (sink.storageError !== undefined) {
    process.stderr.write(`The mbox file or the record could not be written: ${sink.storageError.message}\n`);
    process.exitCode = 1;
  }
  const report = sink.report();
  process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : summary(report));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function extras({ options }: Sink): string {
  const notes: string[] = [];
  if (options.tls === 'starttls') notes.push('STARTTLS');
  if (options.chunking) notes.push('CHUNKING');
  if (options.auth !== 'off') notes.push(`AUTH ${options.auth}`);
  if (options.latencyMs > 0) notes.push(`latency ${options.latencyMs} ms`);
  if (options.rate !== undefined) notes.push(`${options.rate} mails/s`);
  if (options.downEvery !== undefined)
    notes.push(`down every ${options.downEvery} s for ${options.downFor} s`);
  return notes.length === 0 ? '' : ` (${notes.join(', ')})`;
}

function writeListOrSayWhyNot(sink: Sink, path: string): void {
  try {
    writeList(sink.deliveries.entries(), path);
  } catch (error) {
    process.stderr.write(
      `The list could not be written: ${error instanceof Error ? error.message : error}\n`,
    );
    process.exitCode = 1;
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process in the ordinary way. */
async function untilSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  process.once('SIGINT', done);
  process.once('SIGTERM', done);
  await promise;
  process.removeListener('SIGINT', done);
  process.removeListener('SIGTERM', done);
}

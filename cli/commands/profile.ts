import { text as readText } from 'node:stream/consumers';
import { Command } from 'commander';
import { CliError } from '../errors.ts';
import { Output } from '../output.ts';
import { PROFILE_KEYS, type ProfileKey, profileKey, profileValue, shownValue } from '../profile/keys.ts';
import { openProfile } from '../profile/store.ts';
import { table } from '../table.ts';

const KEYS_HELP = `\nKeys:\n${Object.entries(PROFILE_KEYS)
  .map(([key, what]) => `  ${key.padEnd(10)} ${what}`)
  .join('\n')}`;

const HELP = `${KEYS_HELP}

Flags and MUTIRAO_* variables are stronger than the profile. Its file can be read by you alone.

Examples:
  mutirao profile set server ws://10.0.0.5:8765
  mutirao profile set token - < token.txt
  mutirao profile list`;

/** `mutirao profile set|get|unset|list`. */
export function profileCommand(): Command {
  return new Command('profile')
    .description('Keep what you would repeat: the server, its token, the sender')
    .addHelpText('after', HELP)
    .addCommand(
      new Command('set')
        .description('Keep a value')
        .argument('<key>', 'one of the keys below')
        .argument('[value]', 'the value; - or nothing reads it from standard input')
        .addHelpText('after', HELP)
        .action(set),
    )
    .addCommand(
      new Command('get')
        .description('Print a value; of the token only that there is one')
        .argument('<key>')
        .option('--show', 'print the token itself')
        .addHelpText('after', '\nExample:\n  mutirao profile get server')
        .action(get),
    )
    .addCommand(
      new Command('unset')
        .description('Forget a value')
        .argument('<key>')
        .addHelpText('after', '\nExample:\n  mutirao profile unset token')
        .action(unset),
    )
    .addCommand(
      new Command('list')
        .description('Print all values, and where they are kept')
        .option('--json', 'print one line of JSON, without the token')
        .addHelpText('after', '\nExample:\n  mutirao profile list')
        .action(list),
    );
}

async function set(written: string, given: string | undefined): Promise<void> {
  const key = profileKey(written);
  const value = profileValue(
    key,
    given === undefined || given === '-' ? await readText(process.stdin) : given,
  );
  (await openProfile()).set(key, value);
  process.stdout.write(`${key} = ${shownValue(key, value)}\n`);
}

async function get(written: string, { show }: { show?: boolean }): Promise<void> {
  const key = profileKey(written);
  const value = (await openProfile()).all()[key];
  if (value === undefined)
    throw new CliError(`the profile has no ${key}`, { hint: `mutirao profile set ${key} …` });
  process.stdout.write(`${show === true ? value : shownValue(key, value)}\n`);
}

async function unset(written: string): Promise<void> {
  const key = profileKey(written);
  const known = (await openProfile()).unset(key);
  process.stdout.write(known ? `${key} is forgotten\n` : `the profile had no ${key}\n`);
}

async function list({ json }: { json?: boolean }): Promise<void> {
  const out = new Output(json === true);
  const store = await openProfile();
  const profile = store.all();
  const rows = (Object.keys(PROFILE_KEYS) as ProfileKey[]).flatMap((key) => {
    const value = profile[key];
    return value === undefined ? [] : [[key, shownValue(key, value)]];
  });
  if (!out.json) {
    out.say(rows.length === 0 ? 'the profile is empty' : table([{ title: 'KEY' }, { title: 'VALUE' }], rows));
    out.note(`kept in ${store.path}`);
  }
  out.result({ path: store.path, ...profile, token: profile.token === undefined ? undefined : true });
}

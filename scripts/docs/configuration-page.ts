import {
  flagOf,
  SERVER_SETTINGS,
  type Setting,
  type Settings,
  variableOf,
  WORKER_SETTINGS,
} from '../../config/index.ts';
import { code, generatedFrom, table } from './markdown.ts';

const INTRODUCTION = `# Configuration

Each setting can be said in three places. The first that says it wins:

1. a flag: \`--keep-home 2\`
2. an environment variable: \`MUTIRAO_KEEP_HOME=2\`
3. the JSON file given with \`--config FILE\` (or \`MUTIRAO_CONFIG\`): \`{ "keepHome": 2 }\`

A wrong value, and a key of the file that is not known, is refused at start with the key, the value and what is allowed.

- Times are written \`500ms\`, \`2s\`, \`5m\`, \`12h\`, \`5d\`; a bare number means seconds.
- What can be repeated is given several times as a flag, separated by spaces in the environment, as a list in the file.
- A secret can be kept in a file of its own: \`--token-worker-file FILE\`, \`MUTIRAO_TOKEN_WORKER_FILE\`,
  \`"tokenWorkerFile"\`. Prefer this to a flag, which every user of the machine can read in the list of processes.
`;

const RELAY = `## A relay

\`smtp://user:pass@host:port?name=mx&weight=1&connections=20\`, or \`smtps://…\` for TLS from the first byte. In the
config file a relay may also be an object with the same keys.

${table(
  ['key', 'in the URL', 'meaning'],
  [
    ['`name`', '`name=`', 'shown to people, unique within a server; default: `host:port`'],
    ['`host`, `port`', 'its place', 'default port: 25, with `smtps:` 465'],
    ['`secure`', '`smtps:`', 'TLS from the first byte'],
    ['`starttls`', '`starttls=`', '`auto` (when offered, the default), `always` or `never`'],
    ['`verify`', '`verify=no`', 'accept any certificate'],
    ['`user`, `pass`', 'its place', 'percent-encoded in the URL'],
    ['`clearAuth`', '`clear-auth=yes`', 'log in over an unencrypted link to another host'],
    ['`weight`', '`weight=`', 'share of the mail relative to the other relays; default 1'],
    [
      '`connections`',
      '`connections=`',
      'most connections to it over all workers, borrowed ones included; default: as many as the workers open',
    ],
  ],
)}
`;

/** docs/CONFIGURATION.md. */
export function configurationPage(): string {
  return [
    generatedFrom('config/'),
    INTRODUCTION,
    section('Server', 'mutirao server', SERVER_SETTINGS),
    RELAY,
    section('Worker', 'mutirao worker', WORKER_SETTINGS),
  ].join('\n');
}

function section(title: string, command: string, settings: Settings): string {
  const rows = Object.entries(settings).map(([name, setting]) => [
    code(flagOf(name) + (setting.value === undefined ? '' : ` ${setting.value}`)),
    code(variableOf(name)),
    code(name),
    defaultOf(setting),
    meaningOf(setting),
  ]);
  return `## ${title}

\`${command}\`

${table(['flag', 'environment', 'file', 'default', 'meaning'], rows)}
`;
}

function defaultOf({ fallback, value }: Setting): string {
  if (value === undefined) return 'off';
  if (fallback === undefined || (Array.isArray(fallback) && fallback.length === 0)) return '';
  return code(Array.isArray(fallback) ? fallback.join(' ') : String(fallback));
}

function meaningOf(setting: Setting): string {
  const allowed = allowedBy(setting);
  return [
    setting.description,
    allowed === undefined ? '' : `; ${allowed}`,
    setting.repeatable === true ? '; can be repeated' : '',
    setting.secret === true ? '; secret' : '',
  ].join('');
}

/** What the schema says to a wrong value, such as `must be from 1 to 100`, which is what it allows. */
function allowedBy({ schema, value, repeatable, description }: Setting): string | undefined {
  if (value === undefined || repeatable === true) return undefined;
  for (const wrong of [Number.MAX_SAFE_INTEGER, '\u0000', '']) {
    const message = schema.safeParse(wrong).error?.issues[0]?.message;
    const allowed = /^must (?:be |have )?(.*?)(?:, such as .*)?$/.exec(message ?? '')?.[1];
    if (allowed !== undefined) return description.includes(allowed) ? undefined : allowed;
  }
  return undefined;
}

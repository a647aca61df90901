import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { Town } from './support/town.ts';

/** Singing where it should not be heard. Each is in one place only, so that what is found says where it came from. */
const SECRETS = {
  workerToken: 'canary-worker-token-7f3a',
  clientToken: 'canary-client-token-19c4',
  meshToken: 'canary-mesh-token-b2d8',
  wrongToken: 'canary-wrong-token-55e0',
  relayPassword: 'canary relay+password/91',
  wrongPassword: 'canary-wrong-password-3c',
  profileToken: 'canary-profile-token-aa',
};
const BODY = { subject: 'canary-subject-ee1', text: 'canary-text-6d2', variable: 'canary-variable-f07' };
const ADDRESS = 'canary-address-c5b';
/** Treatments of the sink whose failures are told in the logs. */
const TREATMENTS = ['5xx', '4xx-once', '421-once', 'drop-after-dot-once', 'garbage-once', 'policy'];

/** Runs everything once, in good and bad ways. @returns what was written, by where; the command line's apart */
async function chatter(level: 'debug' | 'trace') {
  const town = await Town.raise();
  const file = (name: string, text: string): string => {
    const path = join(town.folder, name);
    writeFileSync(path, text);
    return path;
  };
  const sink = await town.sink({
    latencyMs: 10,
    auth: 'required',
    users: [`ana:${SECRETS.relayPassword}`],
  });
  const relay = (name: string, password: string): string =>
    `smtp://ana:${encodeURIComponent(password)}@127.0.0.1:${sink.port}?name=${name}`;
  const guarded = {
    env: { MUTIRAO_TOKEN_MESH: SECRETS.meshToken, MUTIRAO_LOG_LEVEL: level },
    client: { token: SECRETS.clientToken },
  };
  const tokens = [
    ...['--token-worker', SECRETS.workerToken],
    ...['--token-client-file', file('client-token', SECRETS.clientToken)],
  ];
  const first = await town.server({
    ...guarded,
    relays: [relay('good', SECRETS.relayPassword), relay('bad', SECRETS.wrongPassword)],
    args: tokens,
  });
  const second = await town.server({
    ...guarded,
    relays: [relay('good', SECRETS.relayPassword)],
    args: [...tokens, '--peer', first.url, '--keep-home', '0'],
  });
  const stranger = await town.newServer({
    relays: [],
    args: ['--peer', first.url, '--token-mesh', SECRETS.wrongToken, '--log-level', level],
  });
  await stranger.start();
  const flags = ['--log-level', level, '--connections', '4'];
  await town.worker(first, ['--token', SECRETS.workerToken, ...flags]);
  await town.worker(second, ['--token-file', file('worker-token', SECRETS.workerToken), ...flags]);
  const refused = town.startWorker(['--server', first.url, '--token', SECRETS.wrongToken, ...flags]);

  const commands: string[] = [];
  const mutirao = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> => {
    const { out, errors } = await town.mutirao(args, env);
    commands.push(`${args[0]}: ${out}\n${errors}`);
  };
  const to = ['--server', first.url];
  const right = { MUTIRAO_TOKEN: SECRETS.clientToken };
  const rows = Array.from({ length: 400 }, (_, i) => {
    const treatment = TREATMENTS[i] === undefined ? '' : `${TREATMENTS[i]}-`;
    return `${treatment}${ADDRESS}-${i}@example.net,${BODY.variable}`;
  });
  const csv = file('people.csv', `email,name\n${rows.join('\n')}\nnot an address,${BODY.variable}\n`);
  const text = file('letter.txt', `${BODY.text} {{name}}\n`);
  const submit = ['submit', '--from', 'news@example.org', '--subject', BODY.subject, '--text', text];
  await mutirao([...submit, '--to', csv, ...to, '--json'], right);
  await mutirao([...submit, '--to', csv, ...to], { MUTIRAO_TOKEN: SECRETS.wrongToken });
  await mutirao(['status', ...to, '--json'], right);
  await mutirao(['status', ...to], right);
  await mutirao(['profile', 'set', 'token', SECRETS.profileToken]);
  await mutirao(['profile', 'get']);
  await mutirao(['status', ...to]);
  await refused.logged(/refuses this worker/);
  await stranger.process.logged(/refuse|peer|UNAUTHORIZED/i);
  await until('the bad relay was tried', () =>
    first.process.logs.some(({ relay, msg }) => relay === 'bad' && /breaker opened/.test(msg ?? '')),
  );
  await Promise.all(town.processes.map((process) => process.stop()));

  const logs = new Map<string, string>();
  for (const { name, pid, said, printed } of town.processes) {
    if (!name.startsWith('mutirao')) logs.set(`${name} (${pid})`, [...said, ...printed].join('\n'));
  }
  for (const path of readdirSync(town.folder, { recursive: true, encoding: 'utf8' })) {
    if (/\.log/.test(path)) logs.set(path, readFileSync(join(town.folder, path), 'utf8'));
  }
  return { logs, commands: commands.join('\n'), borrowed: first.process.logs.some(isLoan) };
}

const isLoan = ({ msg }: { readonly msg?: string }): boolean => msg === 'borrowed worker connected';

/** A text as it is, as part of a URL, and as part of something in base64, wherever it begins there. */
function spellingsOf(text: string): string[] {
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(`${'\0'.repeat(offset)}${text}`).toString('base64');
    // At both ends are characters that depend on the neighbours.
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
  return [text, encodeURIComponent(text), ...base64];
}

function heardIn(logs: ReadonlyMap<string, string>, text: string): string[] {
  const spellings = spellingsOf(text);
  const found: string[] = [];
  for (const [where, written] of logs) {
    for (const line of written.split('\n'))
      if (spellings.some((spelling) => line.includes(spelling))) found.push(`${where}: ${line}`);
  }
  return found;
}

describe('what is written to logs and terminals', { timeout: 120_000 }, () => {
  test('at debug has no secret, no word of a message and no address in it', async () => {
    const { logs, commands, borrowed } = await chatter('debug');
    expect(borrowed).toBe(true);
    expect([...logs.values()].join('').length).toBeGreaterThan(10_000);
    for (const secret of [...Object.values(SECRETS), ...Object.values(BODY), ADDRESS])
      expect(heardIn(logs, secret)).toEqual([]);
    for (const secret of Object.values(SECRETS)) expect(commands).not.toContain(secret);
    expect(commands).not.toContain(BODY.text);
  });

  test('at trace has the addresses, and still no secret', async () => {
    const { logs } = await chatter('trace');
    expect(heardIn(logs, ADDRESS).length).toBeGreaterThan(0);
    for (const secret of Object.values(SECRETS)) expect(heardIn(logs, secret)).toEqual([]);
    expect(heardIn(logs, '"TICKET":"')).toEqual([]);
  });
});

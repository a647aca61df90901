import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type ConnectOptions, connect, DEFAULT_PORT, type MutiraoClient } from '../client/index.ts';
import { collect } from './commands/collect.ts';
import { CliError } from './errors.ts';
import { openProfile, type Profile } from './profile/store.ts';

/** The flags that say where the server is. */
export interface ConnectionFlags {
  readonly server?: string | readonly string[];
  readonly token?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
}

/** Gives a command those flags. */
export function withConnection(command: Command): Command {
  return command
    .optionsGroup('Connection:')
    .option(
      '--server <url>',
      `the server (MUTIRAO_SERVER, profile, ws://127.0.0.1:${DEFAULT_PORT}); repeatable where servers share a store`,
      collect,
    )
    .option(
      '--token <token>',
      'token for clients (MUTIRAO_TOKEN, profile); others on this machine can see it here',
    )
    .option('--token-file <file>', 'the same from a file (MUTIRAO_TOKEN_FILE)')
    .option('--tls-ca <file>', 'PEM authority to check a wss:// server against (MUTIRAO_TLS_CA, profile)')
    .optionsGroup('Options:');
}

/** Where to connect: flags before environment before profile before the default. @throws CliError for an unreadable file */
export function connectionOf(
  flags: ConnectionFlags,
  environment: NodeJS.ProcessEnv,
  profile: Profile,
): Omit<ConnectOptions, 'signal'> {
  const variable = (name: string): string | undefined => environment[name] || undefined;
  const tokenFile =
    flags.tokenFile ?? (flags.token === undefined ? variable('MUTIRAO_TOKEN_FILE') : undefined);
  const token =
    flags.token ??
    (tokenFile === undefined ? undefined : fileText(tokenFile, 'token').trim()) ??
    variable('MUTIRAO_TOKEN') ??
    profile.token;
  const tlsCa = flags.tlsCa ?? variable('MUTIRAO_TLS_CA') ?? profile['tls-ca'];
  return {
    server:
      flags.server ??
      listed(variable('MUTIRAO_SERVER') ?? profile.server) ??
      `ws://127.0.0.1:${DEFAULT_PORT}`,
    token: token === '' ? undefined : token,
    tlsCa: tlsCa === undefined ? undefined : fileText(tlsCa, 'certificate'),
  };
}

/** Connects to the server that flags, environment and profile name. */
export async function connectBy(flags: ConnectionFlags, signal?: AbortSignal): Promise<MutiraoClient> {
  const { all } = await openProfile();
  return connect({ ...connectionOf(flags, process.env, all()), signal });
}

/** Several are written with commas. */
function listed(written: string | undefined): string | readonly string[] | undefined {
  const servers = (written ?? '').split(/[\s,]+/).filter((one) => one !== '');
  return servers.length > 1 ? servers : servers[0];
}

function fileText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CliError(`the ${what} cannot be read from ${path} (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    });
  }
}

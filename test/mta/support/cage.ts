import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  type Dirent,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOTS_ENVIRONMENT, RUNS, rootOf } from '../../../scripts/mta/place.ts';
import type { MtaName } from '../../../scripts/mta/recipes.ts';
import { until } from '../../support/until.ts';

/** Of what the programs print, so much is kept, characters; OpenSMTPD prints its log, three lines per mail. */
const MAX_OUTPUT = 4_000_000;

/** Seconds. Postfix reads a file again until it has not been changed for some. */
const LONG_AGO = 1_000_000_000;

/**
 * A root folder of its own for one mail server: the unpacked programs as links, everything else (configuration, accounts, queue,
 * mail, logs) its own. Whatever runs in it is known by that: the kernel names the root of each process.
 */
export class Cage {
  readonly root: string;
  #output = '';

  constructor(name: MtaName) {
    sweep();
    mkdirSync(RUNS, { recursive: true });
    // the kernel names roots without links
    this.root = mkdtempSync(join(realpathSync(RUNS), `${process.pid}-${name}-`));
    execFileSync('cp', ['--archive', '--link', `${rootOf(name)}/.`, this.root]);
  }

  path(inside: string): string {
    return join(this.root, inside);
  }

  /** Writes a file of root, and the folders above it. */
  write(inside: string, content: string, mode = 0o644): void {
    const path = this.path(inside);
    mkdirSync(dirname(path), { recursive: true });
    // a link to the unpacked one must not be written through
    rmSync(path, { force: true });
    writeFileSync(path, content, { mode });
    utimesSync(path, LONG_AGO, LONG_AGO);
  }

  folder(inside: string, owner: number, group = owner, mode = 0o755): void {
    mkdirSync(this.path(inside), { recursive: true });
    chownSync(this.path(inside), owner, group);
    chmodSync(this.path(inside), mode);
  }

  read(inside: string): string {
    return existsSync(this.path(inside)) ? readFileSync(this.path(inside), 'utf8') : '';
  }

  /** Paths of all files below a folder inside. */
  files(inside: string): string[] {
    return [...filesBelow(this.path(inside))];
  }

  own(inside: string, owner: number): void {
    chownSync(this.path(inside), owner, owner);
  }

  /** Runs a program to its end with that on its standard input, and gives what it printed. */
  run(input: string, program: string, ...args: string[]): string {
    return execFileSync('chroot', [this.root, program, ...args], {
      encoding: 'utf8',
      input,
      stdio: 'pipe',
      env: ROOTS_ENVIRONMENT,
    });
  }

  start(program: string, ...args: string[]): ChildProcess {
    const child = spawn('chroot', [this.root, program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: ROOTS_ENVIRONMENT,
    });
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-MAX_OUTPUT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    return child;
  }

  /** What the started programs have printed. */
  get output(): string {
    return this.#output;
  }

  /** `kill -9` for everything that runs inside. */
  kill(): Promise<unknown> {
    return killAllIn(this.root);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Removes what a test run has left that was itself killed. */
function sweep(): void {
  if (!existsSync(RUNS)) return;
  for (const run of readdirSync(RUNS)) {
    if (existsSync(`/proc/${Number.parseInt(run, 10)}`)) continue;
    for (const pid of processesIn(join(RUNS, run))) end(pid);
    rmSync(join(RUNS, run), { recursive: true, force: true });
  }
}

const killAllIn = (root: string): Promise<unknown> =>
  until('nothing runs any more', () => {
    const running = processesIn(root);
    running.forEach(end);
    return running.length === 0;
  });

/** In folders that come and go meanwhile. */
function* filesBelow(folder: string): Generator<string> {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

function processesIn(root: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => rootOfProcess(pid) === root);
}

/** Undefined also for one that has ended and waits for its parent. */
function rootOfProcess(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/root`);
  } catch {
    return undefined;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it was faster
  }
}

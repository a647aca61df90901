import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FILE_NAME } from '../../../server/store/sqlite/connection.ts';

/** The files that a store consists of. Its index of the log (-shm) is made anew after a crash. */
const FILES = [FILE_NAME, `${FILE_NAME}-wal`, `${FILE_NAME}-journal`];
/** What a disk writes as a whole, bytes. */
const SECTOR = 512;
const PROBE_MS = 2_000;

/** Whether the system calls of another process can be followed: `strace` is there and allowed. */
export const CAN_TRACE = process.platform === 'linux' && canTrace();

function canTrace(): boolean {
  const sleeper = spawn('sleep', [String(PROBE_MS / 1000)]);
  try {
    const probe = spawnSync('timeout', ['0.3', 'strace', '-o', '/dev/null', '-p', String(sleeper.pid)]);
    return String(probe.stderr).includes('attached');
  } finally {
    sleeper.kill();
  }
}

/** What a process did to its disk, and what it said, in order. */
export type Step =
  | { readonly does: 'write'; readonly file: string; readonly bytes: Buffer; readonly at: number }
  | { readonly does: 'truncate'; readonly file: string; readonly size: number }
  | { readonly does: 'sync' | 'remove'; readonly file: string }
  /** Handed to the network. */
  | { readonly does: 'say'; readonly text: string };

/** Follows the main thread of a process, which is the one that writes the store and speaks. */
export class SyncTrace {
  readonly #strace: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #file: string;
  readonly #folder: string;

  static async of(pid: number, data: string, file: string): Promise<SyncTrace> {
    const calls = 'trace=pwrite64,write,writev,fsync,fdatasync,ftruncate,unlink';
    const strace = spawn('strace', ['-y', '-xx', '-s', '100000', '-e', calls, '-o', file, '-p', String(pid)]);
    let said = '';
    strace.stderr.on('data', (chunk) => {
      said += String(chunk);
    });
    while (!said.includes('attached')) await once(strace.stderr, 'data');
    return new SyncTrace(strace, file, data);
  }

  private constructor(strace: ChildProcess, file: string, folder: string) {
    this.#strace = strace;
    this.#closed = once(strace, 'close');
    this.#file = file;
    this.#folder = folder;
  }

  /** Follows it to its end, if that has come, or no longer. */
  async end(): Promise<Step[]> {
    this.#strace.kill('SIGINT');
    await this.#closed;
    return readFileSync(this.#file, 'latin1')
      .split('\n')
      .flatMap((line) => stepOf(line, this.#folder));
  }
}

/** A line of strace: `pwrite64(26<\x2f…>, "\x37…", 4096, 0) = 4096`, all strings in hexadecimal. */
function stepOf(line: string, folder: string): Step[] {
  const call = /^(\w+)\((?:\d+<([^>]*)>|"([^"]*)")(.*)\)\s+= (-?\d+)/.exec(line);
  if (call === null) return [];
  const [, name, opened, named, rest = '', result] = call;
  if (Number(result) < 0) return [];
  const path = unhex(opened ?? named ?? '').toString();
  if (name === 'write' || name === 'writev') {
    if (!path.startsWith('TCP') && !path.startsWith('socket')) return [];
    const parts = [...rest.matchAll(/"([^"]*)"/g)].map(([, hex = '']) => unhex(hex).toString('latin1'));
    return [{ does: 'say', text: parts.join('') }];
  }
  const file = basename(path);
  if (!path.startsWith(folder) || !FILES.includes(file)) return [];
  switch (name) {
    case 'pwrite64': {
      const [, hex = '', at] = /"([^"]*)", \d+, (\d+)$/.exec(rest) ?? [];
      return [{ does: 'write', file, bytes: unhex(hex).subarray(0, Number(result)), at: Number(at) }];
    }
    case 'ftruncate':
      return [{ does: 'truncate', file, size: Number(/\d+/.exec(rest)?.[0]) }];
    case 'fsync':
    case 'fdatasync':
      return [{ does: 'sync', file }];
    default:
      return [{ does: 'remove', file }];
  }
}

const unhex = (text: string): Buffer => Buffer.from(text.replaceAll('\\x', ''), 'hex');

/**
 * A disk that may lose, at a power cut, whatever was not synced: of each write since then, any of its sectors. That a file exists
 * is taken as durable at once.
 */
export class ForgetfulDisk {
  readonly #durable = new Map<string, Buffer>();
  readonly #pending = new Map<string, Step[]>();

  /** As it is when a process that is doing nothing is met. */
  constructor(folder: string) {
    for (const file of FILES)
      if (existsSync(join(folder, file))) this.#durable.set(file, readFileSync(join(folder, file)));
  }

  apply(step: Step): void {
    if (step.does === 'say') return;
    const { file } = step;
    if (step.does === 'remove') {
      this.#durable.delete(file);
      this.#pending.delete(file);
    } else if (step.does === 'sync') {
      this.#durable.set(
        file,
        this.#after(file, () => true),
      );
      this.#pending.delete(file);
    } else this.#pending.set(file, [...(this.#pending.get(file) ?? []), step]);
  }

  /** What is found after the power is back. `survives` is asked for each sector that was not synced. */
  powerCut(folder: string, survives: () => boolean): void {
    mkdirSync(folder, { recursive: true });
    for (const file of new Set([...this.#durable.keys(), ...this.#pending.keys()]))
      writeFileSync(join(folder, file), this.#after(file, survives));
  }

  #after(file: string, survives: () => boolean): Buffer {
    let content: Buffer = Buffer.from(this.#durable.get(file) ?? Buffer.alloc(0));
    for (const step of this.#pending.get(file) ?? []) {
      if (step.does === 'truncate' && survives()) content = resized(content, step.size);
      if (step.does !== 'write') continue;
      for (let from = 0; from < step.bytes.length; from += SECTOR) {
        if (!survives()) continue;
        const sector = step.bytes.subarray(from, from + SECTOR);
        const end = step.at + from + sector.length;
        if (content.length < end) content = resized(content, end);
        sector.copy(content, step.at + from);
      }
    }
    return content;
  }
}

function resized(content: Buffer, size: number): Buffer {
  const changed = Buffer.alloc(size);
  content.copy(changed);
  return changed;
}

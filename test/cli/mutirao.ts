import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Script, ScriptedServer } from '../client/scripted-server.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of standard output as JSON. */
  readonly json: Record<string, unknown>;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly input?: string | Buffer;
  readonly cwd?: string;
}

/** A `mutirao` command as a process of its own. Its profile is in `home`. */
export class Mutirao {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(home: string, args: readonly string[], { env = {}, input, cwd }: RunOptions = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('MUTIRAO_'));
    this.process = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env: { ...Object.fromEntries(inherited), HOME: home, XDG_CONFIG_HOME: home, APPDATA: home, ...env },
    });
    this.process.stdout.on('data', (data: Buffer) => {
      this.stdout += data.toString();
    });
    this.process.stderr.on('data', (data: Buffer) => {
      this.stderr += data.toString();
    });
    this.process.stdin.on('error', () => {});
    this.process.stdin.end(input);
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code) => resolve(this.#result(code)));
    });
    onTestFinished(async () => {
      this.process.kill('SIGKILL');
      await this.ended;
    });
  }

  #result(code: number | null): Ended {
    const { stdout, stderr } = this;
    return {
      code,
      stdout,
      stderr,
      get json() {
        return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
      },
    };
  }
}

/** A folder that goes with the test. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutirao-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a command to its end. */
export function run(home: string, args: readonly string[], options?: RunOptions): Promise<Ended> {
  return new Mutirao(home, args, options).ended;
}

export async function scriptedServer(script?: Script): Promise<ScriptedServer> {
  const server = await new ScriptedServer(script).start();
  onTestFinished(() => server.stop());
  return server;
}

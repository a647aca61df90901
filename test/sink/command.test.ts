import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { rawClient, sinkFor, transaction } from './support.ts';

const MAIN = new URL('../../sink/main.ts', import.meta.url).pathname;
const DEADLINE_MS = 15_000;

/** A sink as a process of its own. */
class SinkProcess {
  stdout = '';
  stderr = '';
  readonly #process: ChildProcess;
  readonly #exit: Promise<number | null>;

  constructor(flags: readonly string[]) {
    this.#process = spawn(process.execPath, [MAIN, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#exit = new Promise((resolve) => this.#process.on('close', resolve));
    onTestFinished(async () => {
      this.#process.kill('SIGKILL');
      await this.#exit;
    });
  }

  /** The port it says it listens on. */
  async port(): Promise<number> {
    const find = (): RegExpExecArray | null => /listening on smtp:\/\/127\.0\.0\.1:(\d+)/.exec(this.stdout);
    await expect.poll(find, { timeout: DEADLINE_MS }).not.toBeNull();
    return Number(find()?.[1]);
  }

  async end(signal: 'SIGINT' | 'SIGTERM'): Promise<number | null> {
    this.#process.kill(signal);
    return this.exit();
  }

  async exit(): Promise<number | null> {
    return this.#exit;
  }

  get lastLine(): string {
    return this.stdout.trimEnd().split('\n').at(-1) ?? '';
  }
}

async function send(port: number, recipients: readonly string[]): Promise<void> {
  const client = rawClient({ host: '127.0.0.1', port });
  client.write(
    `EHLO test.example\r\n${recipients.map((recipient) => transaction(recipient)).join('')}QUIT\r\n`,
  );
  await client.untilClosed();
}

it('ends with the report as the last line of its output, and the list in its file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mutirao-sink-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const list = join(folder, 'list.jsonl');
  const sink = new SinkProcess(['--port', '0', '--json', '--list', list]);
  await send(await sink.port(), ['ana@x', 'bob@x', 'ana@x']);
  expect(await sink.end('SIGTERM')).toBe(0);
  expect(JSON.parse(sink.lastLine)).toMatchObject({
    connections: 1,
    messages: 3,
    uniqueRecipients: 2,
    duplicates: 1,
    refused: 0,
  });
  const entries = readFileSync(list, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(entries).toEqual([
    { messageId: '<ana@x>', recipient: 'ana@x', count: 2 },
    { messageId: '<bob@x>', recipient: 'bob@x', count: 1 },
  ]);
});

it('ends with a summary for people at Ctrl-C', async () => {
  const sink = new SinkProcess(['--port', '0', '--latency', '1', '--chunking']);
  await send(await sink.port(), ['ana@x']);
  expect(await sink.end('SIGINT')).toBe(0);
  expect(sink.stdout).toContain('CHUNKING, latency 1 ms');
  expect(sink.stdout).toMatch(/messages: +1 /);
});

it('says that its port is in use, and exits with 1', async () => {
  const other = await sinkFor();
  const sink = new SinkProcess(['--port', String(other.port)]);
  expect(await sink.exit()).toBe(1);
  expect(sink.stderr).toContain(`127.0.0.1:${other.port} is in use`);
});

it('names the flag that is wrong, its value and what is allowed', async () => {
  const sink = new SinkProcess(['--latency', '100000']);
  expect(await sink.exit()).toBe(1);
  expect(sink.stderr).toMatch(/^--latency = 100000: .*60000/);
});

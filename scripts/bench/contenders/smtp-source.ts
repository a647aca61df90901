import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Program, programOf, SMTP_SOURCE } from '../programs/program.ts';
import { composeFor, SAMPLE_READER } from '../rivals/compose.ts';
import { cpuMicrosOfEnded, peakRssMBOf } from '../usage.ts';
import type { Contender, CpuByPart, Load, Relay, Sample } from './contender.ts';
import { STORES } from './stores.ts';

/** How often its memory is looked at, which cannot be read any more when it has ended; ms. */
const LOOK_EVERY_MS = 50;

/**
 * Postfix's own load generator: the same composed message again and again over kept connections, step by step, without pipelining.
 * No queue, no personal content, only the number in the recipient's address changes: plain C at the cost of the SMTP conversation.
 */
export class SmtpSource implements Contender {
  readonly name = 'smtp-source';
  readonly #relay: Relay;
  readonly #connections: number;
  readonly #offline: boolean;
  #program: Program | undefined;
  #peakMB = 0;

  constructor(relay: Relay, connections: number, { offline }: { readonly offline: boolean }) {
    this.#relay = relay;
    this.#connections = connections;
    this.#offline = offline;
  }

  async start(): Promise<void> {
    this.#program = await programOf(SMTP_SOURCE, { offline: this.#offline });
  }

  async round({ mails, letter }: Load): Promise<Sample> {
    if (this.#program === undefined) throw new Error('not started');
    mkdirSync(STORES, { recursive: true });
    const folder = mkdtempSync(join(STORES, 'bench-'));
    try {
      const file = join(folder, 'message');
      writeFileSync(file, await composeFor(letter, SAMPLE_READER));
      return await this.#send(this.#program, mails, file);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #send({ path, env }: Program, mails: number, file: string): Promise<Sample> {
    const cpuBefore = cpuMicrosOfEnded();
    const startedAt = performance.now();
    const child = spawn(
      path,
      [
        // -d keeps connections, -N numbers the recipients.
        ...['-d', '-N', '-s', String(this.#connections), '-m', String(mails), '-F', file],
        ...['-f', 'news@bench.example.org', '-t', 'reader@bench.example.net'],
        `${this.#relay.host}:${this.#relay.port}`,
      ],
      { env, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const look = setInterval(() => this.#look(child.pid), LOOK_EVERY_MS);
    const [code] = (await once(child, 'exit')) as [number | null];
    clearInterval(look);
    const seconds = (performance.now() - startedAt) / 1000;
    if (code !== 0) throw new Error(`smtp-source ended with ${code ?? 'a signal'}`);
    const cpuAfter = cpuMicrosOfEnded();
    const cpuMicros =
      cpuBefore === undefined || cpuAfter === undefined ? undefined : { process: cpuAfter - cpuBefore };
    return { mails, seconds, cpuMicros };
  }

  #look(pid: number | undefined): void {
    if (pid === undefined) return;
    try {
      this.#peakMB = Math.max(this.#peakMB, peakRssMBOf([pid]) || 0);
    } catch {
      // It has just ended.
    }
  }

  peakRssMB(): CpuByPart | undefined {
    return this.#peakMB === 0 ? undefined : { process: this.#peakMB };
  }

  async stop(): Promise<void> {}
}

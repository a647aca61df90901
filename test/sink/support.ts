import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { SessionSettings, SessionWorld, Step } from '../../sink/contract.ts';
import { MisbehaviourMemory } from '../../sink/memory.ts';
import type { SinkOptionsInput } from '../../sink/options.ts';
import { Session } from '../../sink/session.ts';
import { type Sink, type SinkEvents, startSink } from '../../sink/sink.ts';
import { Tally } from '../../sink/tally.ts';

const DEADLINE_MS = 10_000;

/** A sink on a free port that the test ends with. */
export async function sinkFor(options: SinkOptionsInput = {}, events: SinkEvents = {}): Promise<Sink> {
  const sink = await startSink({ port: 0, ...options }, events);
  onTestFinished(() => sink.stop());
  return sink;
}

/** A raw SMTP client that remembers everything it read. */
export class RawClient {
  text = '';
  closed = false;
  readonly socket: Socket;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  get lines(): string[] {
    return this.text.split('\r\n').slice(0, -1);
  }

  /** The replies so far: the codes of their last lines. */
  get codes(): number[] {
    return this.lines.filter((line) => /^\d{3} /.test(line)).map((line) => Number(line.slice(0, 3)));
  }

  write(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** Reads until `enough`; fails at the deadline, telling what was read. */
  async until(enough: () => boolean): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`nothing more came after: ${JSON.stringify(this.text)}`)),
      DEADLINE_MS,
    );
    try {
      while (!enough()) {
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        await Promise.race([woken, promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async untilCodes(count: number): Promise<number[]> {
    await this.until(() => this.codes.length >= count);
    return this.codes;
  }

  async untilClosed(): Promise<void> {
    await this.until(() => this.closed);
  }
}

export function rawClient(sink: { host: string; port: number }): RawClient {
  const socket = connect(sink.port, sink.host);
  onTestFinished(() => {
    socket.destroy();
  });
  return new RawClient(socket);
}

/** A client that has read the greeting and said EHLO. */
export async function greetedClient(sink: Sink): Promise<RawClient> {
  const client = rawClient(sink);
  client.write('EHLO test.example\r\n');
  await client.untilCodes(2);
  return client;
}

/** The commands that send one small message, in one piece. */
export function transaction(recipient: string, messageId = `<${recipient}>`): string {
  return (
    `MAIL FROM:<sender@example.org>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n` +
    `Message-ID: ${messageId}\r\nSubject: Test\r\n\r\nHello\r\n.\r\n`
  );
}

/** The commands that send one message by BDAT, in as many chunks as there are pieces. */
export function chunkedTransaction(recipient: string, ...pieces: readonly string[]): string {
  const chunks = pieces.map(
    (piece, index) =>
      `BDAT ${Buffer.byteLength(piece)}${index === pieces.length - 1 ? ' LAST' : ''}\r\n${piece}`,
  );
  return `MAIL FROM:<sender@example.org>\r\nRCPT TO:<${recipient}>\r\n${chunks.join('')}`;
}

/** Cuts bytes at these places, whatever their order and size. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const edges = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

export const SETTINGS: SessionSettings = {
  hostname: 'sink.test',
  greeting: 220,
  maxMessageBytes: 10_000,
  pipelining: true,
  smtpUtf8: true,
  eightBitMime: true,
  chunking: false,
  starttls: false,
  requireTls: false,
  auth: 'off',
  authFails: false,
  slowMs: 1_000,
  collect: true,
};

/** A world for a session without a sink: everything is accepted and remembered. */
export class TestWorld extends MisbehaviourMemory implements SessionWorld {
  readonly tally = new Tally();
  readonly contents: string[] = [];
  stores = true;

  constructor() {
    super(1);
  }

  noteMisbehaved(address: string): void {
    this.note(address);
  }

  knows({ user, password }: { user: string; password: string }): boolean {
    return user === 'ana' && password === 'secret';
  }

  refusal(): undefined {
    return undefined;
  }

  accept(message: Parameters<SessionWorld['accept']>[0]): boolean {
    if (!this.stores) return false;
    this.tally.accepted(message.messageId, message.to, message.size);
    this.contents.push(message.content?.toString('latin1') ?? '');
    return true;
  }

  delayMs(): number {
    return 0;
  }

  refused(code: number): void {
    this.tally.refused(code);
  }

  authFailed(): void {
    this.tally.authFailed();
  }
}

/** Feeds chunks to a new session; returns what it would say and do: replies joined, other steps as `[step]`. */
export function converse(
  chunks: readonly (string | Buffer)[],
  settings: Partial<SessionSettings> = {},
  world: TestWorld = new TestWorld(),
): string {
  const session = new Session({ ...SETTINGS, ...settings }, world, false);
  const steps: Step[] = session.greet();
  for (const chunk of chunks) steps.push(...session.feed(Buffer.from(chunk as string)));
  return steps.map((step) => (step.do === 'reply' ? step.text : `[${step.do}]\r\n`)).join('');
}

/** The reply codes in what `converse` returns, with steps between them. */
export function codesOf(dialogue: string): string[] {
  return dialogue
    .split('\r\n')
    .filter((line) => /^(\d{3} |\[)/.test(line))
    .map((line) => (line.startsWith('[') ? line : line.slice(0, 3)));
}

import { Process } from '../../support/process.ts';
import { type Relay, Unavailable } from '../contenders/contender.ts';
import { freePort } from '../free-port.ts';
import { ForeignServer } from '../programs/foreign.ts';
import { programOf, SMTP_SINK } from '../programs/program.ts';

/** Accepted and not yet taken up; more than the connections of all contenders. */
const BACKLOG = 1_024;

export interface BenchSink extends Relay {
  /** Which one it is. */
  readonly name: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Postfix's `smtp-sink` where it can be had (C, so it leaves most of the machine to the contenders), else our own. */
export async function startSink(options: { readonly offline: boolean }): Promise<BenchSink> {
  try {
    return await smtpSink(options);
  } catch (error) {
    if (error instanceof Unavailable) return ownSink();
    throw error;
  }
}

/** Ours, in a process of its own; it can be far away (`--latency`) and offer more (`--chunking`). */
export async function ownSink(args: readonly string[] = []): Promise<BenchSink> {
  const sink = new Process({ name: 'sink', entry: 'sink/main.ts', args: ['--port', '0', ...args] });
  const [, host = '', port] = await sink.prints(/^Sink listening on smtp:\/\/([\d.]+):(\d+)/);
  return {
    name: ["Mutirão's own sink (Node.js)", ...args].join(' '),
    host,
    port: Number(port),
    pid: sink.pid,
    stop: async () => void (await sink.stop('SIGINT')),
  };
}

async function smtpSink(options: { readonly offline: boolean }): Promise<BenchSink> {
  const program = await programOf(SMTP_SINK, options);
  const host = '127.0.0.1';
  const port = await freePort(host);
  // As root it insists on being told whom to become.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const args = [...user, '-m', String(BACKLOG), `${host}:${port}`, String(BACKLOG)];
  const server = await ForeignServer.start('smtp-sink', program, args, host, port);
  return { name: "Postfix's smtp-sink", host, port, pid: server.pid, stop: () => server.stop() };
}

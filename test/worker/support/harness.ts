import { startSink } from '../../../sink/sink.ts';
import { compose } from '../../../worker/tasks/compose.ts';
import {
  type RunningWorker,
  startWorker,
  type WorkerOptions,
  type WorkerTimes,
} from '../../../worker/worker.ts';
import { KeptLog } from './log.ts';
import { type Script, type ScriptedServer, startScriptedServer } from './scripted-server.ts';
import { type ScriptedSmtp, type SmtpScript, startSmtpScript } from './smtp-script.ts';

const QUICK: Partial<WorkerTimes> = {
  backoffBaseMs: 10,
  backoffCapMs: 50,
  patienceMs: 200,
  connectWithinMs: 2_000,
};

/** Servers, relays and workers of one test, all ended by `clean()`. */
export class Harness {
  readonly log = new KeptLog();
  readonly #cleanups: (() => unknown)[] = [];

  async clean(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
    this.log.lines.length = 0;
  }

  async server(script: Script = {}): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    this.#cleanups.push(() => server.stop());
    return server;
  }

  async sink(options: Parameters<typeof startSink>[0] = {}) {
    const sink = await startSink({ port: 0, ...options });
    this.#cleanups.push(() => sink.stop());
    return sink;
  }

  async smtp(script: SmtpScript): Promise<ScriptedSmtp> {
    const smtp = await startSmtpScript(script);
    this.#cleanups.push(() => smtp.stop());
    return smtp;
  }

  /** The address of a server that nobody answers at. */
  async goneServer(): Promise<ScriptedServer> {
    const gone = await startScriptedServer();
    await gone.stop();
    return gone;
  }

  worker(servers: readonly string[], options: Partial<WorkerOptions> = {}): RunningWorker {
    const times = { ...QUICK, ...options.times };
    const worker = startWorker({
      servers,
      logger: this.log,
      compile: compose,
      drainMs: 2_000,
      ...options,
      times,
    });
    this.#cleanups.push(async () => {
      const stopped = worker.stop();
      void worker.stop();
      await stopped;
    });
    return worker;
  }
}

/** 0, 1, … */
export const seqs = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
export const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { WorkerAlive, WorkerReport } from '../../../protocol/index.ts';
import { until } from './until.ts';

/** What a worker sent, as the test sees it. */
export type Heard = Partial<WorkerAlive> & Partial<WorkerReport>;

/** One connection of a worker. */
export class Visit {
  readonly heard: Heard[] = [];
  readonly request: IncomingMessage;
  readonly socket: WebSocket;
  isOpen = true;

  constructor(socket: WebSocket, request: IncomingMessage, react: (visit: Visit, message: Heard) => void) {
    this.socket = socket;
    this.request = request;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Heard;
      this.heard.push(message);
      react(this, message);
    });
    socket.on('close', () => {
      this.isOpen = false;
    });
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  get alives(): Heard[] {
    return this.heard.filter((message) => message.WORKER === 'ALIVE');
  }

  get reports(): Heard[] {
    return this.heard.filter((message) => message.STATUS !== undefined);
  }

  /** Seqs reported as sent, in the order of the reports. */
  get sent(): number[] {
    return this.reports.flatMap((report) => expand(report.SENT ?? []));
  }

  get returned(): number[] {
    return this.reports.flatMap((report) => expand(report.RETURNED ?? []));
  }

  get results() {
    return this.reports.flatMap((report) => report.RESULTS ?? []);
  }

  async alive(number = 1): Promise<Heard> {
    return until(`ALIVE number ${number} came`, () => this.alives[number - 1]);
  }

  async done(task: string): Promise<Heard> {
    return until(`task ${task} is DONE`, () =>
      this.reports.find((report) => report.TASK_UUID === task && report.DONE === true),
    );
  }

  async closed(): Promise<void> {
    await until('the connection is closed', () => !this.isOpen);
  }
}

export interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  readonly visits: Visit[];
  visit(number?: number): Promise<Visit>;
  /** Ends the listener and cuts every connection. */
  stop(): Promise<void>;
}

export interface Script {
  readonly port?: number;
  /** Acknowledge reports at once; default true. */
  readonly acks?: boolean;
  readonly answersPings?: boolean;
  /** Also called for every message. */
  readonly react?: (visit: Visit, message: Heard) => void;
}

/** A server that does what the test says: it acknowledges and renews by itself, everything else is scripted. */
export async function startScriptedServer(script: Script = {}): Promise<ScriptedServer> {
  const server = new WebSocketServer({
    port: script.port ?? 0,
    host: '127.0.0.1',
    autoPong: script.answersPings ?? true,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const visits: Visit[] = [];
  server.on('connection', (socket, request) => {
    visits.push(
      new Visit(socket, request, (visit, message) => {
        if (message.STATUS !== undefined && script.acks !== false) {
          visit.send({ STATUS: 'ACK', TASK_UUID: message.TASK_UUID });
        }
        script.react?.(visit, message);
      }),
    );
  });
  const port = (server.address() as AddressInfo).port;
  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    visits,
    visit: (number = 1) => until(`visit ${number} came`, () => visits[number - 1]),
    stop: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close(() => resolve());
      }),
  };
}

export function expand(ranges: readonly (readonly [number, number])[]): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
}

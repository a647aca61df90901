import type { RecipientResult, TaskSend, WorkerAlive, WorkerReport } from '../../protocol/index.ts';
import type { TestServer } from './server.ts';
import { type Frame, JsonSocket } from './socket.ts';

/** What a scripted worker says of itself beyond ALIVE. */
export type Presence = Partial<Omit<WorkerAlive, 'WORKER'>>;

/** Keys that make it a full worker, which understands HAND_BACK and the mesh. */
export const FULL: Presence = { PROTOCOL: 1, CONNECTIONS: 10, IN_FLIGHT: 2, TASKS: [], SLOTS: 1 };

const isTask = (frame: Frame): boolean => frame.TASK === 'SEND';

/** A worker whose every word is the test's. */
export class ScriptedWorker {
  readonly socket: JsonSocket;

  private constructor(socket: JsonSocket) {
    this.socket = socket;
  }

  /** Connects and says ALIVE with these keys. */
  static async of(server: TestServer, presence: Presence = {}): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker(await JsonSocket.open(server.url));
    worker.alive(presence);
    return worker;
  }

  /** A full worker: says its identity, connections and which tasks it holds. */
  static full(server: TestServer, WORKER_UUID: string, presence: Presence = {}): Promise<ScriptedWorker> {
    return ScriptedWorker.of(server, { WORKER_UUID, ...FULL, ...presence });
  }

  alive(presence: Presence = {}): void {
    this.socket.send({ WORKER: 'ALIVE', ...presence });
  }

  /** The next task. */
  async task(withinMs?: number): Promise<TaskSend> {
    return (await this.socket.next(isTask, withinMs)) as unknown as TaskSend;
  }

  /** Tasks that came so far. */
  get tasks(): readonly TaskSend[] {
    return this.socket.heard.filter(isTask) as unknown as TaskSend[];
  }

  /** Sends a report and waits for its ACK, or the NACK. */
  async report(task: string | TaskSend, keys: Partial<WorkerReport>): Promise<Frame> {
    const TASK_UUID = typeof task === 'string' ? task : task.TASK_UUID;
    this.socket.send({ STATUS: 'OK', TASK: 'SEND', TASK_UUID, ...keys });
    return this.socket.next(
      ({ STATUS, TASK_UUID: of }) => (STATUS === 'ACK' && of === TASK_UUID) || STATUS === 'NACK',
    );
  }

  /** The whole task is sent. */
  ok(task: string | TaskSend): Promise<Frame> {
    return this.report(task, {});
  }

  /** These are sent, the task goes on. */
  sent(task: TaskSend, seqs: readonly number[], keys: Partial<WorkerReport> = {}): Promise<Frame> {
    return this.report(task, { SENT: seqs.map((seq) => [seq, seq]), ...keys });
  }

  /** Takes every task and says the same of all its recipients, until it is cut. */
  answerAll(resultOf: (seq: number) => Partial<RecipientResult>, presence: Presence = {}): void {
    void (async () => {
      for (;;) {
        const task = await this.task(600_000).catch(() => undefined);
        if (task === undefined || !this.socket.isOpen) return;
        const RESULTS = task.RECIPIENTS.map(({ SEQ }) => ({ SEQ, STATUS: 'OK' as const, ...resultOf(SEQ) }));
        this.socket.send({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: task.TASK_UUID, RESULTS, DONE: true });
        this.alive({ TASKS: [], SLOTS: 1, ...presence });
      }
    })();
  }

  cut(): void {
    this.socket.cut();
  }
}

export const seqsOf = (task: TaskSend): number[] => task.RECIPIENTS.map(({ SEQ }) => SEQ);

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { MAX_TASK_FRAME_BYTES, PROTOCOL_VERSION } from '../../../protocol/index.ts';

/** What the server's part of one task took. */
export interface HollowTask {
  /** From asking to the task. */
  readonly claimMs: number;
  /** From the report to its acknowledgement. */
  readonly settleMs: number;
}

/**
 * A worker that sends nothing and reports every recipient of a task as sent: what is left is the server's own work. One task at a
 * time, so that each is timed by itself.
 */
export async function emptyHollow(url: string, isOver: () => boolean): Promise<HollowTask[]> {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: MAX_TASK_FRAME_BYTES });
  await once(socket, 'open');
  const tasks: HollowTask[] = [];
  const answer = async (question: object): Promise<string> => {
    socket.send(JSON.stringify(question));
    const [data] = (await once(socket, 'message')) as [Buffer];
    // Only the beginning is looked at: parsing a task is a real worker's work.
    return data.subarray(0, 2_048).toString();
  };
  try {
    const uuid = crypto.randomUUID();
    while (!isOver()) {
      const askedAt = performance.now();
      const task = await answer({
        WORKER: 'ALIVE',
        WORKER_UUID: uuid,
        SLOTS: 1,
        CONNECTIONS: 1_000,
        PROTOCOL: PROTOCOL_VERSION,
      });
      const takenAt = performance.now();
      const id = /"TASK_UUID":"([^"]+)"/.exec(task)?.[1];
      if (id === undefined) break;
      await answer({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: id, WORKER_UUID: uuid });
      tasks.push({ claimMs: takenAt - askedAt, settleMs: performance.now() - takenAt });
    }
  } finally {
    socket.terminate();
  }
  return tasks;
}

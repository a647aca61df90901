import { onTestFinished } from 'vitest';
import type { TestServer } from './server.ts';
import { type Frame, JsonSocket } from './socket.ts';

export const MESSAGE = { FROM: 'News <news@example.org>', SUBJECT: 'Hello {{name}}', TEXT: 'Dear {{name}}' };

/** Recipients `user0@example.net`, … */
export function rowsOf(count: number, from = 0): { ADDRESS: string; VARIABLES: { name: string } }[] {
  return Array.from({ length: count }, (_, i) => ({
    ADDRESS: `user${from + i}@example.net`,
    VARIABLES: { name: `Name ${from + i}` },
  }));
}

/** A client that speaks the wire by hand. */
export class TestClient {
  readonly socket: JsonSocket;

  constructor(socket: JsonSocket) {
    this.socket = socket;
  }

  static async of(server: TestServer): Promise<TestClient> {
    const socket = await JsonSocket.open(server.url);
    onTestFinished(() => socket.cut());
    return new TestClient(socket);
  }

  ask(CLIENT: string, keys: object = {}): Promise<Frame> {
    return this.socket.ask({ CLIENT, ...keys });
  }

  /** Submits a batch in one frame. @returns its UUID */
  async submit(count: number, keys: object = {}): Promise<string> {
    const ack = await this.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(count), COMMIT: true, ...keys });
    if (ack.STATUS !== 'ACK') throw new Error(`not accepted: ${JSON.stringify(ack)}`);
    return ack.BATCH_UUID as string;
  }

  /** The batch as it is now. */
  async batch(BATCH_UUID: string): Promise<BatchNow> {
    return (await this.ask('BATCH', { BATCH_UUID })).BATCH as BatchNow;
  }
}

/** What the tests look at in a batch. */
export interface BatchNow {
  readonly BATCH_UUID: string;
  readonly STATE: string;
  readonly COUNTS: Readonly<Record<string, number>>;
  readonly REJECTED: number;
  readonly DUPLICATES: number;
  readonly MAYBE_SENT: number;
  readonly SECOND_REPORTS: number;
  readonly WAITING?: string;
  readonly FINISHED_AT?: string;
}

import { Process } from '../engine/process.ts';
import type { VirtualSocket } from '../network/virtual-socket.ts';
import type { ServerNode, Surround } from './server-node.ts';

/** A client that was not answered tries again after this time, ms. */
const AGAIN_MS = { min: 200, max: 3_000 };
/** An answer is waited for so long, ms. */
const ANSWER_WITHIN_MS = 10_000;

export interface Order {
  readonly key: string;
  readonly server: ServerNode;
  readonly recipients: number;
  readonly onUnknown: 'RETRY' | 'HOLD';
  /** Seconds from its submission, or none. */
  readonly expiresS: number | undefined;
}

/** An answer to a submission. */
export interface Receipt {
  readonly order: Order;
  readonly batch: string;
  readonly accepted: number;
}

interface Answer {
  readonly STATUS: string;
  readonly BATCH_UUID?: string;
  readonly ACCEPTED?: number;
  readonly ERROR?: { readonly CODE: string; readonly RETRY?: boolean };
}

/** Someone who submits batches and acts on them. A submission that was not answered is repeated under its key until it is. */
export class ClientNode {
  readonly #around: Surround;
  readonly #process: Process;
  readonly #onReceipt: (receipt: Receipt) => void;
  /** Submissions not answered yet. */
  waiting = 0;

  constructor(around: Surround, onReceipt: (receipt: Receipt) => void) {
    this.#around = around;
    this.#process = new Process('client', 'client', around.events, around.chance.branch('client'));
    this.#onReceipt = onReceipt;
  }

  submit(order: Order): void {
    this.waiting++;
    this.#submit(order);
  }

  /** Asks once; whether it is done or not is no matter. */
  act(
    server: ServerNode,
    request: { readonly CLIENT: string; readonly BATCH_UUID: string; readonly DECISION?: string },
  ): void {
    this.#ask(server, request, () => {});
  }

  #submit(order: Order): void {
    const request = {
      CLIENT: 'SUBMIT',
      KEY: order.key,
      MESSAGE: { FROM: 'News <news@example.org>', SUBJECT: 'News', TEXT: 'Hello' },
      OPTIONS: {
        ON_UNKNOWN: order.onUnknown,
        ...(order.expiresS === undefined ? {} : { EXPIRES: order.expiresS }),
      },
      RECIPIENTS: Array.from({ length: order.recipients }, (_, i) => ({ ADDRESS: `r${i}@example.net` })),
      COMMIT: true,
    };
    this.#ask(order.server, request, (answer) => {
      if (answer?.STATUS === 'ACK' && answer.BATCH_UUID !== undefined) {
        this.waiting--;
        this.#onReceipt({ order, batch: answer.BATCH_UUID, accepted: answer.ACCEPTED ?? 0 });
        // Some people press the button twice.
        if (this.#process.random() < 0.1) this.submit(order);
      } else {
        const { min, max } = AGAIN_MS;
        this.#process.setTimer(() => this.#submit(order), min + this.#process.random() * (max - min));
      }
    });
  }

  /** Opens a connection for one request; `undefined`: it was not answered. */
  #ask(server: ServerNode, request: object, answered: (answer: Answer | undefined) => void): void {
    const socket: VirtualSocket = this.#around.network.connect(
      this.#process,
      server.url,
      undefined,
      ANSWER_WITHIN_MS,
    );
    let isAnswered = false;
    const end = (answer: Answer | undefined): void => {
      if (isAnswered) return;
      isAnswered = true;
      cancel();
      socket.terminate();
      answered(answer);
    };
    const cancel = this.#process.setTimer(() => end(undefined), ANSWER_WITHIN_MS);
    socket.on('open', () => socket.send(JSON.stringify({ REQ: 1, ...request })));
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer & { REQ?: number };
      if (answer.REQ === 1) end(answer);
    });
    socket.on('error', () => {});
    socket.on('close', () => end(undefined));
  }
}

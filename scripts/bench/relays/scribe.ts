import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Relay } from '../contenders/contender.ts';

const END_OF_DATA = '\r\n.\r\n';

/** A mail that was accepted. */
export interface Accepted {
  /** Who sent it: the name in its EHLO. */
  readonly sender: string;
  /** When its 250 was written, ms of `performance.now()`. */
  readonly at: number;
}

/** A relay in this process that is some way off, accepts everything and writes down who sent it and when. */
export class Scribe implements Relay {
  readonly host = '127.0.0.1';
  readonly accepted: Accepted[] = [];
  readonly #latencyMs: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(latencyMs: number) {
    this.#latencyMs = latencyMs;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(latencyMs: number): Promise<Scribe> {
    const scribe = new Scribe(latencyMs);
    scribe.#server.listen(0, scribe.host);
    await once(scribe.#server, 'listening');
    return scribe;
  }

  get port(): number {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? 0 : address.port;
  }

  /** Forgets what was written down. */
  clear(): void {
    this.accepted.length = 0;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setNoDelay(true);
    let sender = '';
    let received = '';
    let inData = false;
    // Timers of one length fire in the order they were set, so replies keep theirs.
    const reply = (text: string, isMail = false): void => {
      setTimeout(() => {
        if (!socket.writable) return;
        socket.write(`${text}\r\n`);
        if (isMail) this.accepted.push({ sender, at: performance.now() });
      }, this.#latencyMs);
    };
    reply('220 scribe ESMTP');
    socket.on('data', (data) => {
      received += data.toString('latin1');
      for (;;) {
        const mark = inData ? END_OF_DATA : '\r\n';
        const end = received.indexOf(mark);
        if (end < 0) return;
        const line = received.slice(0, end);
        received = received.slice(end + mark.length);
        if (inData) {
          inData = false;
          reply('250 2.0.0 accepted', true);
          continue;
        }
        const [verb = '', argument = ''] = line.split(' ');
        if (verb.toUpperCase() === 'EHLO') {
          sender = argument;
          reply('250-scribe\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8');
        } else if (verb.toUpperCase() === 'DATA') {
          inData = true;
          reply('354 go on');
        } else if (verb.toUpperCase() === 'QUIT') {
          reply('221 2.0.0 bye');
        } else {
          reply('250 2.0.0 ok');
        }
      }
    });
  }
}

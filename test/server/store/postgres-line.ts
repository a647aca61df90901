import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What becomes of the next message of a client, on whichever line. */
type Fate = 'passes' | 'is lost' | 'is late' | 'is answered in vain';

/** A line to PostgreSQL that can be cut before a message arrives, or before its answer does, or altogether. */
export class FragileLine {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fate: Fate = 'passes';
  #isDown = false;
  #late: (() => void) | undefined;

  private constructor(port: number) {
    this.#server = createServer((client) => this.#join(client, port));
  }

  /** @returns the line, and the address of the database over it */
  static async to(url: string): Promise<{ readonly line: FragileLine; readonly url: string }> {
    const address = new URL(url);
    const line = new FragileLine(Number(address.port));
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    const own = line.#server.address();
    if (own === null || typeof own === 'string') throw new Error('no port');
    address.host = `127.0.0.1:${own.port}`;
    return { line, url: address.href };
  }

  next(fate: Fate): void {
    this.#fate = fate;
  }

  /** Has the message that is late arrive. */
  arrive(): void {
    const late = this.#late;
    if (late === undefined) throw new Error('nothing is late');
    this.#late = undefined;
    late();
  }

  /** Nobody gets through, or everybody again. */
  set isDown(down: boolean) {
    this.#isDown = down;
    if (down) for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(client: Socket, port: number): void {
    if (this.#isDown) {
      client.destroy();
      return;
    }
    const database = connect(port, '127.0.0.1');
    let isInVain = false;
    let isHeld = false;
    const cut = (): void => {
      client.destroy();
      if (!isHeld) database.destroy();
    };
    for (const socket of [client, database]) {
      this.#sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        cut();
      });
    }
    client.on('data', (bytes) => {
      const fate = this.#fate;
      this.#fate = 'passes';
      isInVain ||= fate === 'is answered in vain';
      if (fate === 'is lost') cut();
      else if (fate === 'is late') {
        isHeld = true;
        client.destroy();
        this.#late = () => {
          database.on('data', () => database.destroy());
          database.write(bytes);
        };
      } else if (!isHeld) database.write(bytes);
    });
    database.on('data', (bytes) => {
      if (!isInVain) client.write(bytes);
      // the whole answer of a transaction ends with ReadyForQuery
      else if (bytes.includes(Buffer.from([0x5a, 0, 0, 0, 5]))) {
        if (this.downAfterwards) this.isDown = true;
        cut();
      }
    });
  }

  /** The line is down as soon as a message was answered in vain. */
  downAfterwards = false;
}

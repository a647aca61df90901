import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import {
  conversationOf,
  type Endpoint,
  type PeerMessage,
  parseFromPeer,
  parseObject,
} from '../../../protocol/index.ts';
import type { MeshLogger, PeerConnection, PeerTransport } from '../../../server/mesh/ports.ts';
import { WebSocketConnection, webSocketTransport } from '../../../server/mesh/ws-transport.ts';
import type { Network } from './world.ts';

const SILENT: MeshLogger = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** Real WebSockets on loopback, with as much of a gateway as peers need. */
export class SocketNetwork implements Network {
  /** What the gateways ask for. */
  readonly token: string | undefined;
  readonly #reserved = new Map<number, Server>();

  constructor(token?: string) {
    this.token = token;
  }

  async freeAddress(): Promise<Endpoint> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    this.#reserved.set(port, server);
    return { IP: '127.0.0.1', PORT: port };
  }

  async listen(
    address: Endpoint,
    accept: (connection: PeerConnection, first: PeerMessage) => void,
  ): Promise<() => Promise<void>> {
    const server = this.#reserved.get(address.PORT) ?? createServer();
    this.#reserved.delete(address.PORT);
    const sockets = new WebSocketServer({
      server,
      perMessageDeflate: false,
      verifyClient: ({ req }: { req: { headers: { authorization?: string } } }) =>
        this.token === undefined || req.headers.authorization === `Bearer ${this.token}`,
    });
    sockets.on('connection', (socket, request) => {
      socket.once('message', (data) => {
        const keys = parseObject(data.toString());
        const first =
          keys.ok && conversationOf(keys.message) === 'peer' ? parseFromPeer(keys.message) : undefined;
        if (first?.ok)
          accept(new WebSocketConnection(socket, request.socket.remoteAddress, SILENT), first.message);
        else socket.close(1008);
      });
    });
    if (!server.listening) {
      await new Promise<void>((resolve) => server.listen(address.PORT, address.IP, resolve));
    }
    return async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await new Promise((resolve) => server.close(resolve));
    };
  }

  transport(token: string | undefined): PeerTransport {
    return webSocketTransport({ logger: SILENT, ...(token === undefined ? {} : { token }) });
  }

  async close(): Promise<void> {
    for (const server of this.#reserved.values()) await new Promise((resolve) => server.close(resolve));
  }
}

import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { ServerSettings } from '../../config/index.ts';
import { ServerError } from '../errors.ts';

/** Time that a caller gets to send the head of its request, ms. */
const HEADERS_WITHIN_MS = 10_000;

/** Opens the server's port. @throws ServerError PORT_IN_USE, CANNOT_LISTEN, TLS_INVALID */
export async function listen(
  app: Hono,
  settings: Pick<ServerSettings, 'host' | 'port' | 'tlsCert' | 'tlsKey'>,
): Promise<{ server: Server; port: number }> {
  const listener = getRequestListener(app.fetch);
  const tls = readTls(settings);
  const server = tls === undefined ? createServer(listener) : tlsServer(tls, listener);
  server.headersTimeout = HEADERS_WITHIN_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, settings)));
    server.listen(settings.port, settings.host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

function tlsServer(tls: { cert: Buffer; key: Buffer }, listener: RequestListener): Server {
  try {
    return createTlsServer(tls, listener) as unknown as Server;
  } catch (cause) {
    throw new ServerError(
      'TLS_INVALID',
      `the files of --tls-cert and --tls-key are not a PEM certificate and its key: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function readTls(
  settings: Pick<ServerSettings, 'tlsCert' | 'tlsKey'>,
): { cert: Buffer; key: Buffer } | undefined {
  const { tlsCert, tlsKey } = settings;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new ServerError('TLS_INVALID', '--tls-cert and --tls-key belong together: give both');
  }
  try {
    return { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) };
  } catch (cause) {
    throw new ServerError('TLS_INVALID', `the certificate cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function listenError(
  error: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): ServerError {
  if (error.code === 'EADDRINUSE') {
    return new ServerError(
      'PORT_IN_USE',
      `port ${port} on ${host} is in use, perhaps by another server: choose another one with --port, or 0 for a free one`,
      { cause: error },
    );
  }
  return new ServerError('CANNOT_LISTEN', `cannot listen on ${host}:${port}: ${error.message}`, {
    cause: error,
  });
}

import {
  CannotConnectError,
  ConnectionLostError,
  DEFAULT_PORT,
  ServerRefusedError,
} from '../client/index.ts';
import { CliError } from './errors.ts';
import { oneLine } from './format.ts';

export interface Explanation {
  readonly code: string;
  /** One line. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
}

const TOKEN_HINT = 'give it with --token-file FILE, MUTIRAO_TOKEN, or: mutirao profile set token';

const CONNECT_HINTS: Partial<Record<CannotConnectError['reason'], (server: string) => string>> = {
  refused: (server) => `start one with "${startCommand(server)}", or say where one is with --server URL`,
  'not-found': () => 'look at the address: --server, MUTIRAO_SERVER, or: mutirao profile get server',
  timeout: () => 'look whether the machine is up and its port open',
  tls: () => 'for a certificate of your own give its authority with --tls-ca FILE',
  unauthorized: () => TOKEN_HINT,
  'not-a-server': () => 'look at the port: it is the one that "mutirao server" was started with',
};

/** Any error as one line and a hint. */
export function explain(error: unknown): Explanation {
  if (error instanceof CliError) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof CannotConnectError) {
    return { code: error.code, message: error.message, hint: CONNECT_HINTS[error.reason]?.(error.server) };
  }
  if (error instanceof ServerRefusedError) {
    // The server's own messages say what to do.
    return { code: error.code, message: oneLine(error.message) };
  }
  if (error instanceof ConnectionLostError) {
    const hint = error.maybeCommitted
      ? 'mutirao status'
      : 'what the server has acknowledged is safe: mutirao status';
    return { code: error.code, message: error.message, hint };
  }
  if (!(error instanceof Error)) return { code: 'UNKNOWN', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code !== undefined) return { code, message: error.message };
  return { code: error.name, message: error.stack ?? error.message };
}

function startCommand(server: string): string {
  const port = URL.canParse(server) ? new URL(server).port : '';
  return `mutirao server${port === '' || port === String(DEFAULT_PORT) ? '' : ` --port ${port}`}`;
}

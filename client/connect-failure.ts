import { CannotConnectError, type ConnectFailure } from './errors.ts';

const REASONS: Readonly<Record<string, ConnectFailure>> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'not-found',
  EAI_AGAIN: 'not-found',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'timeout',
  ENETUNREACH: 'timeout',
  EPROTO: 'tls',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls',
  CERT_HAS_EXPIRED: 'tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls',
};

const MESSAGES: Readonly<Record<ConnectFailure, (url: string, detail: string) => string>> = {
  refused: (url) => `no server at ${url}`,
  'not-found': (url) => `the host of ${url} is not known`,
  timeout: (url) => `the server at ${url} does not answer`,
  tls: (url, detail) => `no secure connection with ${url}: ${detail}`,
  unauthorized: (url) => `the server at ${url} does not accept the token`,
  'not-a-server': (url, detail) => `what answers at ${url} is not a Mutirão server (${detail})`,
  other: (url, detail) => `cannot connect to ${url}: ${detail}`,
};

/** Names what went wrong: an error of the socket, or the HTTP status that came instead of the WebSocket. */
export function connectFailure(url: string, problem: Error | number): CannotConnectError {
  if (typeof problem === 'number') {
    const reason =
      problem === 401 || problem === 403 ? 'unauthorized' : problem === 503 ? 'timeout' : 'not-a-server';
    return new CannotConnectError(url, reason, MESSAGES[reason](url, `HTTP ${problem}`));
  }
  const reason = reasonOf(problem);
  return new CannotConnectError(url, reason, MESSAGES[reason](url, detailOf(problem)), {
    cause: problem,
  });
}

function reasonOf(error: Error): ConnectFailure {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined) {
    if (code in REASONS) return REASONS[code] ?? 'other';
    if (/^ERR_(SSL|TLS)/.test(code)) return 'tls';
    if (/^(HPE_|WS_ERR)/.test(code)) return 'not-a-server';
  }
  if (/handshake has timed out/i.test(error.message)) return 'timeout';
  return 'other';
}

/** With several addresses to one name (::1 and 127.0.0.1) the message of the whole is empty. */
function detailOf(error: Error): string {
  if (error.message !== '') return error.message;
  if (error instanceof AggregateError) return error.errors.map((one) => (one as Error).message).join('; ');
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

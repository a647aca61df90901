export type SinkStartErrorCode =
  | 'SINK_OPTIONS'
  | 'SINK_PORT_IN_USE'
  | 'SINK_LISTEN'
  | 'SINK_TLS'
  | 'SINK_FILE';

/** Why a sink cannot start. The message says what the reader can do. */
export class SinkStartError extends Error {
  override readonly name = 'SinkStartError';
  readonly code: SinkStartErrorCode;
  /** The option that is wrong, with `SINK_OPTIONS`; the message begins with it. */
  readonly key: string | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { readonly code: SinkStartErrorCode; readonly key?: string },
  ) {
    super(message, options);
    this.code = options.code;
    this.key = options.key;
  }
}

/** Tells a failure to listen as what it means to whoever started the sink. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): SinkStartError {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new SinkStartError(
        `${where} is in use by another program. Choose another --port, or 0 for a free one.`,
        { code: 'SINK_PORT_IN_USE', cause: error },
      );
    case 'EACCES':
      return new SinkStartError(`No right to listen on ${where}. Ports below 1024 need it.`, {
        code: 'SINK_LISTEN',
        cause: error,
      });
    default:
      return new SinkStartError(`Cannot listen on ${where}: ${error.message}`, {
        code: 'SINK_LISTEN',
        cause: error,
      });
  }
}

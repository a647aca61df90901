/** What keeps a worker from starting; the message says what to do. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  readonly code: 'DATA_IN_USE' | 'DATA_UNUSABLE';

  constructor(code: WorkerError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

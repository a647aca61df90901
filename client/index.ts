/** Submit and watch batches of e-mail: the library that the command line is made of. */
export { DEFAULT_PORT, serverUrl } from './address.ts';
export {
  type Batch,
  type BatchCounts,
  type BatchRecipient,
  type BatchState,
  isOver,
  type PossibleDuplicate,
} from './batch.ts';
export {
  type Changed,
  type ConnectOptions,
  connect,
  type Decision,
  type ListedState,
  MutiraoClient,
  type SubmitOptions,
} from './client.ts';
export {
  CannotConnectError,
  ClientClosedError,
  type ConnectFailure,
  ConnectionLostError,
  InvalidSubmissionError,
  MutiraoError,
  ServerRefusedError,
  UnexpectedAnswerError,
} from './errors.ts';
export type { RecipientInput, Rejection, Row, RowSource, Rows, UnreadableRow } from './recipients.ts';
export type { Submission, SubmittedAttachment } from './submission.ts';
export type { Submitted, UploadProgress } from './upload.ts';
export type { WatchOptions } from './watch.ts';

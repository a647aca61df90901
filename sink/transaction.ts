import type { Behaviour } from './behaviour.ts';
import type { ChunkedBody } from './chunked-body.ts';

/** What is known of one message from MAIL until its end. */
export interface Transaction {
  readonly from: string;
  readonly utf8: boolean;
  readonly to: string[];
  /** What BDAT brought so far; undefined before the first. */
  chunked: ChunkedBody | undefined;
  /** A chunk was refused, or BDAT and DATA were mixed: only RSET, or the last chunk, ends it now. */
  failed: boolean;
  /** The first misbehaviour that a recipient asked for at `body` or `dot`, and who asked. */
  behaviour: Behaviour | undefined;
  behaviourOf: string;
  /** A recipient asked for RSET to end the connection. */
  dismissedAtReset: boolean;
}

export function transactionOf(from: string, utf8: boolean): Transaction {
  return {
    from,
    utf8,
    to: [],
    chunked: undefined,
    failed: false,
    behaviour: undefined,
    behaviourOf: '',
    dismissedAtReset: false,
  };
}

import {
  type CompiledMessage,
  compileMessage,
  MessageError,
  parseAddress,
  specOf,
  TemplateError,
  type TemplateVariables,
} from '../../mail/index.ts';
import { MAX_VARIABLES_BYTES, type Message, type Recipient } from '../../protocol/index.ts';
import { RequestError } from './request-error.ts';
import type { StoredRecipient } from './store.ts';

export type CheckedRow =
  /** `key`: the address for the search of duplicates. */
  | { readonly ok: true; readonly recipient: StoredRecipient; readonly key: string }
  | { readonly ok: false; readonly reason: string };

/** Checks the rows of a batch against its message: what can be known to fail is refused at SUBMIT, not in the middle of the night. */
export class RowCheck {
  readonly #compiled: CompiledMessage;

  /** @throws RequestError MESSAGE_INVALID, TEMPLATE_INVALID */
  constructor(message: Message) {
    this.#compiled = compile(message);
  }

  row(row: Recipient): CheckedRow {
    const parsed = parseAddress(row.ADDRESS);
    if (!parsed.ok) return { ok: false, reason: parsed.reason };
    const variables = row.VARIABLES === undefined ? undefined : JSON.stringify(row.VARIABLES);
    if (variables !== undefined && Buffer.byteLength(variables) > MAX_VARIABLES_BYTES) {
      return { ok: false, reason: `its variables are longer than ${MAX_VARIABLES_BYTES} bytes as JSON` };
    }
    const recipient = {
      address: parsed.address,
      ...(row.NAME === undefined ? {} : { name: row.NAME }),
      // it came as JSON
      ...(row.VARIABLES === undefined ? {} : { variables: row.VARIABLES as TemplateVariables }),
    };
    const problem = this.#compiled.checkRecipient(recipient, parsed);
    if (problem !== undefined) return { ok: false, reason: problem };
    return {
      ok: true,
      key: parsed.key,
      recipient: {
        address: parsed.address,
        ...(row.NAME === undefined || row.NAME === '' ? {} : { name: row.NAME }),
        ...(variables === undefined || variables === '{}' ? {} : { variables }),
      },
    };
  }
}

/** Compiles a message as a client sent it. @throws RequestError MESSAGE_INVALID, TEMPLATE_INVALID */
export function compile(message: Message): CompiledMessage {
  try {
    return compileMessage(specOf(message));
  } catch (cause) {
    if (!(cause instanceof MessageError)) throw cause;
    const code = cause.cause instanceof TemplateError ? 'TEMPLATE_INVALID' : 'MESSAGE_INVALID';
    throw new RequestError(code, cause.message, { cause });
  }
}

import { type CompiledMessage, compileMessage, missingVariable, parseAddress } from '../../mail/index.ts';
import { MAX_VARIABLES_CHARS, type Message, type Recipient } from '../../protocol/index.ts';
import { RequestError, type RequestErrorCode } from './request-error.ts';
import type { StoredRecipient } from './store.ts';

export type CheckedRow =
  | {
      readonly ok: true;
      readonly recipient: StoredRecipient /** The address for the search of duplicates. */;
      readonly key: string;
    }
  | { readonly ok: false; readonly reason: string };

const CONTROL = /[\u0000-\u001f\u007f]/;

/** Checks the rows of a batch against its message: what can be known to fail is refused at SUBMIT, not in the middle of the night. */
export class RowCheck {
  readonly #compiled: CompiledMessage;

  /** @throws RequestError MESSAGE_INVALID, TEMPLATE_INVALID */
  constructor(message: Message) {
    this.#compiled = this.message(message);
  }

  /** Compiles a message. @throws RequestError */
  message(message: Message): CompiledMessage {
    try {
      return compileMessage(message);
    } catch (error) {
      const { code, field } = error as { code?: RequestErrorCode; field?: string };
      if (code !== 'MESSAGE_INVALID' && code !== 'TEMPLATE_INVALID') throw error;
      throw new RequestError(code, (error as Error).message, {
        cause: error,
        ...(field === undefined ? {} : { field: `MESSAGE.${field}` }),
      });
    }
  }

  row(row: Recipient): CheckedRow {
    const parsed = parseAddress(row.ADDRESS);
    if (!parsed.ok) return { ok: false, reason: parsed.reason };
    if (row.NAME !== undefined && CONTROL.test(row.NAME))
      return { ok: false, reason: 'the name holds a control character' };
    const variables = row.VARIABLES === undefined ? undefined : JSON.stringify(row.VARIABLES);
    if (variables !== undefined && variables.length > MAX_VARIABLES_CHARS) {
      return { ok: false, reason: `its variables are longer than ${MAX_VARIABLES_CHARS} characters` };
    }
    const given = { name: row.NAME, email: parsed.address, ...row.VARIABLES };
    const missing = missingVariable(this.#compiled.required, given);
    if (missing !== undefined) return { ok: false, reason: `missing variable "${missing}"` };
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

import { Buffer } from 'node:buffer';

/** What a client said with AUTH. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** How an AUTH dialogue goes on: another line is asked for, it came to nothing, or credentials were said. */
export type AuthOutcome =
  | { readonly outcome: 'ask'; readonly reply: string }
  | { readonly outcome: 'give-up'; readonly reply: string }
  | { readonly outcome: 'check'; readonly credentials: Credentials };

const NOT_BASE64: AuthOutcome = {
  outcome: 'give-up',
  reply: '501 5.5.2 Not the base64 that was asked for\r\n',
};

/**
 * The lines of one AUTH command (RFC 4954): PLAIN (RFC 4616) and LOGIN, each with or without an initial response.
 * Expects in turn: `plain` one response; `user` then `password` one each. `*` cancels.
 */
export class AuthDialogue {
  #expects: 'plain' | 'user' | 'password' = 'plain';
  #user = '';

  /** `argument`: what follows AUTH. */
  begin(argument: string): AuthOutcome {
    const [mechanism = '', initial] = argument.split(/ +/, 2);
    switch (mechanism.toUpperCase()) {
      case 'PLAIN':
        return initial === undefined ? { outcome: 'ask', reply: '334 \r\n' } : this.line(initial);
      case 'LOGIN':
        this.#expects = 'user';
        return initial === undefined ? { outcome: 'ask', reply: '334 VXNlcm5hbWU6\r\n' } : this.line(initial);
      default:
        return { outcome: 'give-up', reply: '504 5.5.4 Mechanism not known; PLAIN and LOGIN are\r\n' };
    }
  }

  /** The client's next line. */
  line(response: string): AuthOutcome {
    if (response === '*') return { outcome: 'give-up', reply: '501 5.7.0 Cancelled\r\n' };
    const text = decodeBase64(response);
    if (text === null) return NOT_BASE64;
    switch (this.#expects) {
      case 'plain': {
        const [, user, password, ...more] = text.split('\0');
        if (user === undefined || password === undefined || more.length > 0) return NOT_BASE64;
        return { outcome: 'check', credentials: { user, password } };
      }
      case 'user':
        this.#user = text;
        this.#expects = 'password';
        return { outcome: 'ask', reply: '334 UGFzc3dvcmQ6\r\n' };
      case 'password':
        return { outcome: 'check', credentials: { user: this.#user, password: text } };
    }
  }
}

/** Strict base64 to UTF-8; null when the text is not base64. `=` stands for the empty string (RFC 4954 §4). */
function decodeBase64(base64: string): string | null {
  if (base64 === '=' || base64 === '') return '';
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return null;
  return Buffer.from(base64, 'base64').toString('utf8');
}

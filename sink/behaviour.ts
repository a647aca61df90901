/**
 * How the sink behaves towards a recipient is written in the recipient's own address: the local part's prefix
 * chooses the rule. `4xx-ana@example.org` is always put off, `drop-after-dot-once-7@x` loses the first reply only.
 *
 * Grammar of a local part: `<rule>[once|-once]-<anything>`. `once` makes any rule misbehave the first time for
 * this address and never again. Everything else behaves.
 */

/**
 * Where in the transaction a behaviour shows. `body`: as soon as the first byte of the message arrives, or BDAT
 * announces its last chunk. `dot`: at the final dot, or behind the last chunk. `rset`: when the client would start anew
 * after this recipient was refused.
 */
export type Stage = 'rcpt' | 'body' | 'dot' | 'rset';

/** What the sink does to one recipient at one stage. Codes are SMTP reply codes (RFC 5321 §4.2). */
export type Behaviour =
  /** An orderly reply; 2xx accepts; `421` also closes the connection (RFC 5321 §3.8). */
  | { readonly at: 'rcpt' | 'dot'; readonly does: 'reply'; readonly code: number; readonly reply: string }
  /** The recipient is put off, and the RSET behind it ends the connection. */
  | { readonly at: 'rset'; readonly does: 'dismiss' }
  /** A line that no SMTP client can parse. */
  | { readonly at: 'rcpt'; readonly does: 'garbage'; readonly reply: string }
  /** The connection closes without a word. At `dot` the message was received and counts. */
  | { readonly at: 'body' | 'dot'; readonly does: 'drop' }
  /** The message is received and counted, the reply comes `slowMs` later. */
  | { readonly at: 'dot'; readonly does: 'slow' }
  /** The message is received and counted, the reply never comes, the connection stays. */
  | { readonly at: 'dot'; readonly does: 'hang' };

/** A row of the table: the prefix in the local part, and what follows from it. */
interface Rule {
  readonly prefix: string;
  readonly behaviour: Behaviour;
  /** How often it misbehaves for one address before it behaves; absent: always. */
  readonly times?: 'greylist';
  /** One line for `mutirao sink --help` and the docs. */
  readonly help: string;
}

/** The enhanced status codes (RFC 3463) that go with a bare reply code. Codes not listed get `C.0.0`. */
const ENHANCED: Readonly<Record<number, string>> = {
  250: '2.1.5',
  251: '2.1.5',
  252: '2.1.5',
  421: '4.3.2',
  450: '4.2.1',
  451: '4.3.0',
  452: '4.2.2',
  550: '5.1.1',
  551: '5.1.6',
  552: '5.2.2',
  553: '5.1.3',
};

const TEXT: Readonly<Record<number, string>> = {
  250: 'Recipient ok',
  251: 'User not local; will forward',
  421: 'Service not available, closing transmission channel',
  450: 'Mailbox busy, try again later',
  451: 'Local error in processing, try again later',
  452: 'Mailbox full, try again later',
  550: 'No such user here',
  552: 'Mailbox full',
  553: 'Mailbox name not allowed',
  554: 'Transaction failed',
};

/** A whole reply line for a code, as `451 4.3.0 Local error …\r\n`. */
export function replyLine(code: number, enhanced?: string, text?: string): string {
  const status = enhanced ?? ENHANCED[code] ?? `${Math.floor(code / 100)}.0.0`;
  return `${code} ${status} ${text ?? TEXT[code] ?? 'As this address asked for'}\r\n`;
}

function answers(at: 'rcpt' | 'dot', code: number, enhanced?: string, text?: string): Behaviour {
  return { at, does: 'reply', code, reply: replyLine(code, enhanced, text) };
}

/** The named rules. A prefix that begins another stands after it. */
export const RULES: readonly Rule[] = [
  { prefix: '4xx', behaviour: answers('rcpt', 451), help: 'RCPT is answered 451' },
  { prefix: '5xx', behaviour: answers('rcpt', 550), help: 'RCPT is answered 550' },
  {
    prefix: 'policy',
    behaviour: answers('rcpt', 550, '5.7.1', 'Refused by policy'),
    help: 'RCPT is answered 550 5.7.1',
  },
  {
    prefix: 'disagree',
    behaviour: answers('rcpt', 550, '4.2.0', 'The codes of this reply disagree'),
    help: 'RCPT is answered 550 4.2.0',
  },
  {
    prefix: 'greylist',
    behaviour: answers('rcpt', 451, '4.7.1', 'Greylisted, try again later'),
    times: 'greylist',
    help: 'RCPT is answered 451 the first --greylist-times times, then 250',
  },
  {
    prefix: 'garbage',
    behaviour: { at: 'rcpt', does: 'garbage', reply: 'What? I only know poems.\r\n' },
    help: 'RCPT is answered with a line that is no SMTP reply',
  },
  {
    prefix: 'rset',
    behaviour: { at: 'rset', does: 'dismiss' },
    help: 'RCPT is answered 451, and the RSET behind it 421, which closes the connection',
  },
  {
    prefix: 'drop-before-dot',
    behaviour: { at: 'body', does: 'drop' },
    help: 'the connection closes when the message (or its last BDAT chunk) begins to arrive',
  },
  {
    prefix: 'drop-after-dot',
    behaviour: { at: 'dot', does: 'drop' },
    help: 'the message is received and counted, then the connection closes without a reply',
  },
  {
    prefix: 'slow',
    behaviour: { at: 'dot', does: 'slow' },
    help: 'the reply to the final dot comes --slow milliseconds late',
  },
  {
    prefix: 'hang',
    behaviour: { at: 'dot', does: 'hang' },
    help: 'the message is received and counted, its reply never comes',
  },
];

/** The numeric rules: `450-`, `554-` answer RCPT with that code; `dot552-` answers the final dot with it. */
const NUMERIC = /^(dot-?)?([245])(\d\d|xx)(?=-|once-)/;

/** How often an address was already misbehaved to: what `once` and greylisting go by. */
export interface BehaviourMemory {
  timesMisbehaved(address: string): number;
  readonly greylistTimes: number;
}

interface Match {
  readonly behaviour: Behaviour;
  readonly times: 'always' | 'once' | 'greylist';
}

/** What an address asks for, or undefined when it asks for nothing (or only once, and had it). Pure. */
export function behaviourFor(address: string, memory: BehaviourMemory): Behaviour | undefined {
  if (!mayBeRule(address)) return undefined;
  const match = matchRule(localPartOf(address).toLowerCase());
  if (match === undefined) return undefined;
  if (match.times === 'always') return match.behaviour;
  const limit = match.times === 'once' ? 1 : memory.greylistTimes;
  return memory.timesMisbehaved(address) < limit ? match.behaviour : undefined;
}

/** Whether a rule's misbehaviour has to be remembered for it to end: `once` variants and greylisting. */
export function isRemembered(address: string): boolean {
  const match = matchRule(localPartOf(address).toLowerCase());
  return match !== undefined && match.times !== 'always';
}

function localPartOf(address: string): string {
  const at = address.lastIndexOf('@');
  return at === -1 ? address : address.slice(0, at);
}

/** First characters that any rule begins with: spares ordinary addresses the search. */
const FIRST_CHARACTERS: ReadonlySet<number> = new Set(
  [...RULES.map((rule) => rule.prefix), '2', '4', '5', 'dot'].flatMap((prefix) => [
    prefix.charCodeAt(0),
    prefix.toUpperCase().charCodeAt(0),
  ]),
);

/** Every rule ends in a hyphen. */
function mayBeRule(address: string): boolean {
  return FIRST_CHARACTERS.has(address.charCodeAt(0)) && address.includes('-');
}

function matchRule(localPart: string): Match | undefined {
  for (const rule of RULES) {
    if (!localPart.startsWith(rule.prefix)) continue;
    const times = repetition(localPart.slice(rule.prefix.length));
    if (times === undefined) continue;
    return { behaviour: rule.behaviour, times: times === 'always' ? (rule.times ?? 'always') : times };
  }
  const numeric = NUMERIC.exec(localPart);
  if (numeric === null) return undefined;
  const times = repetition(localPart.slice(numeric[0].length));
  if (times === undefined) return undefined;
  return { behaviour: numericBehaviour(numeric), times };
}

function numericBehaviour([, dot, kind, digits]: RegExpExecArray): Behaviour {
  const at = dot === undefined ? 'rcpt' : 'dot';
  if (digits !== 'xx') return answers(at, Number(`${kind}${digits}`));
  return answers(at, kind === '5' ? 554 : kind === '4' ? 451 : 250);
}

/** Reads what stands between the rule's name and the rest of the local part. */
function repetition(rest: string): 'always' | 'once' | undefined {
  if (rest.startsWith('once-') || rest.startsWith('-once-')) return 'once';
  return rest.startsWith('-') ? 'always' : undefined;
}

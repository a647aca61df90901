import { parseReply, replyForStore, type SmtpReply } from './reply.ts';

/**
 * Where a transaction ended. `dot` is the reply to the end of the data; `local` means that we refused to send
 * it ourselves (e.g. the address needs SMTPUTF8 and the relay does not offer it).
 */
export type SmtpStage =
  | 'connect'
  | 'greeting'
  | 'ehlo'
  | 'tls'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'dot'
  | 'local';

/**
 * How far it got, as the worker itself recorded it: the final dot was not written; it was written and no reply
 * came; a reply came. A reply before the dot may be told as `not-sent` or `replied`, which mean the same there.
 */
export type SmtpPhase = 'not-sent' | 'sent-unconfirmed' | 'replied';

export interface SmtpFact {
  readonly stage: SmtpStage;
  readonly phase: SmtpPhase;
  /** The reply that ended the transaction, all lines. Absent when the connection failed instead. */
  readonly reply?: string;
  /** What failed when no reply came (connection reset, time limit, …), or why we refused (`local`). */
  readonly error?: string;
}

export interface Verdict {
  readonly outcome: 'sent' | 'deferred' | 'failed' | 'unknown';
  /** Whom the outcome says something about. Only `relay` may feed a relay's breaker. */
  readonly fault: 'none' | 'relay' | 'recipient';
  /** Refused for policy (x.7.x): several in a row say that the relay or the sender is what is refused. */
  readonly policy: boolean;
  /** Whether this counts as one of the recipient's attempts. */
  readonly chargeAttempt: boolean;
}

export interface Classified extends Verdict {
  /** `550 5.1.1` or `550`; without a readable reply `not-sent`, `sent-unconfirmed`, `local` or `unreadable`. */
  readonly code: string;
  /** The reply or the error in one bounded line, for the store. Holds addresses: not for logs. */
  readonly reply: string;
}

const SENT: Verdict = { outcome: 'sent', fault: 'none', policy: false, chargeAttempt: true };
/**
 * The dot is out and no reply came. RFC 5321 §4.5.3.2 lets us treat that as a 451, hence the attempt is charged:
 * a message that kills every session after its dot must not be repeated for ever. The loss of the session is the
 * relay's, so that its breaker stops a relay which swallows one message after the other.
 */
const UNKNOWN: Verdict = { outcome: 'unknown', fault: 'relay', policy: false, chargeAttempt: true };
/** Our own process ended while the mail was under way: it may have been sent, and nobody else is to blame. */
const CUT_SHORT: Verdict = { outcome: 'unknown', fault: 'none', policy: false, chargeAttempt: false };
const RELAY_FAULT: Verdict = { outcome: 'deferred', fault: 'relay', policy: false, chargeAttempt: false };
const TEMPORARY: Verdict = { outcome: 'deferred', fault: 'recipient', policy: false, chargeAttempt: true };
const PERMANENT: Verdict = { outcome: 'failed', fault: 'recipient', policy: false, chargeAttempt: true };
const REFUSED_BY_POLICY: Verdict = { ...PERMANENT, policy: true };
const REFUSED_LOCALLY: Verdict = {
  outcome: 'failed',
  fault: 'recipient',
  policy: false,
  chargeAttempt: false,
};

/**
 * 5xx answers to the DATA command itself that speak about the conversation, not about this mail: syntax, unknown
 * command, sequence (RFC 5321 §4.2.2). The others a DATA may get (§3.3, §4.3.5: 550 policy, 552 storage, 554 no
 * valid recipients or transaction failed) refuse this mail. We send one recipient per transaction, so they are as
 * final as a refusal of RCPT.
 */
const CONVERSATION_CODES: ReadonlySet<number> = new Set([500, 501, 502, 503, 504]);

const BEFORE_RCPT: ReadonlySet<SmtpStage> = new Set(['connect', 'greeting', 'ehlo', 'tls', 'auth', 'mail']);

interface Case {
  readonly stage: SmtpStage;
  readonly phase: SmtpPhase;
  /** Whether anything was replied, readable or not. */
  readonly replied: boolean;
  readonly reply: SmtpReply | undefined;
}

interface Rule {
  readonly name: string;
  readonly applies: (c: Case) => boolean;
  readonly verdict: Verdict;
}

const family = (c: Case): number => Math.floor((c.reply?.basic ?? 0) / 100);

/** The rules in their order: the first that applies decides. In doubt, temporary. */
const RULES: readonly Rule[] = [
  {
    name: 'the dot may be out, our process ended',
    applies: (c) => c.phase === 'sent-unconfirmed' && c.stage === 'local',
    verdict: CUT_SHORT,
  },
  {
    name: 'the dot is out, nothing came back',
    applies: (c) => c.phase === 'sent-unconfirmed',
    verdict: UNKNOWN,
  },
  { name: 'refused by ourselves', applies: (c) => c.stage === 'local', verdict: REFUSED_LOCALLY },
  {
    name: 'before RCPT nothing is about the recipient',
    applies: (c) => BEFORE_RCPT.has(c.stage),
    verdict: RELAY_FAULT,
  },
  {
    name: 'the connection failed',
    applies: (c) => !c.replied && c.phase === 'not-sent',
    verdict: RELAY_FAULT,
  },
  { name: 'service not available', applies: (c) => c.reply?.basic === 421, verdict: RELAY_FAULT },
  // The basic code binds (RFC 5321 §4.2): after a 2xx the relay has the mail, whatever else it says.
  {
    name: 'accepted',
    applies: (c) => c.stage === 'dot' && c.phase === 'replied' && family(c) === 2,
    verdict: SENT,
  },
  { name: 'the codes disagree', applies: (c) => codesDisagree(c.reply), verdict: TEMPORARY },
  {
    name: 'refused by policy',
    applies: (c) => family(c) === 5 && isPolicy(c.reply),
    verdict: REFUSED_BY_POLICY,
  },
  {
    name: 'DATA refused for the conversation',
    applies: (c) => c.stage === 'data' && CONVERSATION_CODES.has(c.reply?.basic ?? 0),
    verdict: TEMPORARY,
  },
  { name: 'refused for good', applies: (c) => family(c) === 5, verdict: PERMANENT },
  { name: 'anything else, a 4xx or not understood', applies: () => true, verdict: TEMPORARY },
];

/**
 * What the end of a transaction means for the recipient and for the relay. Pure and total: any text is a reply
 * to be judged, none makes it throw.
 */
export function classify(fact: SmtpFact): Classified {
  const replied = fact.reply !== undefined && fact.reply !== '';
  const reply = replied ? parseReply(fact.reply ?? '') : undefined;
  const c: Case = { stage: fact.stage, phase: fact.phase, replied, reply };
  const rule = RULES.find((r) => r.applies(c));
  const verdict = rule?.verdict ?? TEMPORARY;
  return {
    outcome: verdict.outcome,
    fault: verdict.fault,
    policy: verdict.policy,
    chargeAttempt: verdict.chargeAttempt,
    code: codeOf(fact, replied, reply),
    reply: replyForStore(fact.reply || fact.error || ''),
  };
}

const ACCEPTED_LINE = /^2[0-9][0-9](?: .*)?$/;

/** Whether the relay took the mail: `classify(fact).outcome` is `sent`, at less cost for the one line that is nearly always the reply. */
export function isAccepted(fact: SmtpFact): boolean {
  if (fact.stage !== 'dot' || fact.phase !== 'replied') return false;
  return ACCEPTED_LINE.test(fact.reply ?? '') || classify(fact).outcome === 'sent';
}

function codeOf(fact: SmtpFact, replied: boolean, reply: SmtpReply | undefined): string {
  if (reply !== undefined) return reply.enhanced ? `${reply.basic} ${reply.enhanced}` : `${reply.basic}`;
  if (fact.stage === 'local') return 'local';
  return replied || fact.phase === 'replied' ? 'unreadable' : fact.phase;
}

function codesDisagree(reply: SmtpReply | undefined): boolean {
  return reply?.enhanced !== undefined && reply.enhanced[0] !== String(reply.basic)[0];
}

function isPolicy(reply: SmtpReply | undefined): boolean {
  return reply?.enhanced?.split('.')[1] === '7';
}

import type { TransactionFact } from '../tasks/contract.ts';
import type { Reply } from './reply-reader.ts';
import { lost, type Progress } from './stage.ts';

/** Which reply comes next. `body`: none, the relay waits for the message. `dot`: the one to the end of the message, by dot or by BDAT LAST. */
export type Step = 'rset' | 'mail' | 'rcpt' | 'data' | 'body' | 'dot';

/** What follows from a reply: the next step; the transaction is over; or the relay is out of step and no further reply of it can be trusted. */
export type Consequence = 'next' | 'over' | 'astray';

const REPLY_GROUPS: Readonly<Record<Step, readonly number[]>> = {
  rset: [2, 4, 5],
  mail: [2, 4, 5],
  rcpt: [2, 4, 5],
  data: [3, 4, 5],
  body: [],
  dot: [2, 4, 5],
};
const GO_AHEAD = 354;

/**
 * One mail on its way through a pipelined session: which reply it awaits, what was said to it, and so what became of it.
 *
 * with DATA: rset? → mail → rcpt → data → body (after 354) → dot → over
 * with BDAT: rset? → mail → rcpt → dot → over; the whole message is out from the start
 *
 * A refusal of RSET, MAIL or RCPT is remembered and decides, but the replies to what is written already are still awaited. With
 * DATA the body then stays here: the answer to DATA is a refusal, or it is 354 and nothing but a dot follows, provided that
 * the relay has refused the recipient: else it would deliver nothing to somebody, and the session ends instead. With BDAT the relay has the
 * message: if it accepts RCPT and the message, it was sent, whatever it said to MAIL.
 *
 * A reply that is none, or none to this step (RFC 5321 §4.3.2), means that replies and commands are out of step: it may stand in for a
 * reply or come on top of one, and the next 250 may be anybody's. An unreadable answer to the end of the message leaves open
 * whether the relay has it: `sent-unconfirmed`.
 */
export class Transaction {
  readonly isChunked: boolean;
  #step: Step;
  #refusal: TransactionFact | undefined;
  #isHeard = false;
  #isRcptRefused = false;
  #isResetRefused = false;
  #leavesOpen = false;
  #fact: TransactionFact | undefined;
  readonly #ended: (fact: TransactionFact | undefined) => void;

  constructor(isChunked: boolean, isAfterReset: boolean, ended: (fact: TransactionFact | undefined) => void) {
    this.isChunked = isChunked;
    this.#step = isAfterReset ? 'rset' : 'mail';
    this.#ended = ended;
  }

  get step(): Step {
    return this.#step;
  }

  /** How much of it has been handed to the connection. */
  get progress(): Progress {
    return this.isChunked ? 'dot' : this.waitsIn;
  }

  /** What the relay is busy with. */
  get waitsIn(): Progress {
    return this.#step === 'dot' || this.#step === 'body' ? this.#step : 'envelope';
  }

  /** The relay would take a body that nobody is to get: nothing but the end of data goes out (RFC 2920 §3.1). */
  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /** It is over and the relay may still think that it is open: RSET comes before the next MAIL. */
  get leavesOpen(): boolean {
    return this.#leavesOpen;
  }

  /** The relay has answered what comes next. */
  heard(reply: Reply): Consequence {
    this.#isHeard = true;
    const group = Math.floor(reply.code / 100);
    const isReply = REPLY_GROUPS[this.#step].includes(group) && (group !== 3 || reply.code === GO_AHEAD);
    if (!isReply) return this.#strayed(reply);
    const isRefused = group > 3;
    switch (this.#step) {
      case 'rset':
        this.#isResetRefused = isRefused;
        if (isRefused) this.#refuse('mail', reply);
        this.#step = 'mail';
        return 'next';
      case 'mail':
        if (isRefused) this.#refuse('mail', reply);
        this.#step = 'rcpt';
        return 'next';
      case 'rcpt':
        this.#isRcptRefused = isRefused;
        if (isRefused) this.#refuse('rcpt', reply);
        this.#step = this.isChunked ? 'dot' : 'data';
        return 'next';
      case 'data':
        return isRefused ? this.#dataRefused(reply) : this.#goAhead();
      case 'dot':
        return this.#answered(reply, isRefused);
      case 'body':
        return 'astray';
    }
  }

  /** The end of the message has been handed to the connection. */
  bodyWritten(): void {
    this.#step = 'dot';
  }

  /**
   * The connection is gone; no reply will come. `isUnreached`: the relay is known to have stopped before it got here.
   * Without a fact it was never begun as far as the relay is concerned.
   */
  lost(why: { error?: string; reply?: string }, isUnreached: boolean): void {
    const isHeard = this.#isHeard || why.reply !== undefined;
    const isUntouched = !isHeard && (isUnreached || this.progress === 'envelope');
    // A refused RSET was about those before it.
    const isBehindRset = isUnreached && this.#isResetRefused && this.#step === 'mail';
    if (isUntouched || isBehindRset) this.#fact = undefined;
    else this.#fact = this.#refusal ?? lost(this.progress, why);
  }

  /** Tells what became of it; once. */
  end(): void {
    this.#ended(this.#fact);
  }

  #refuse(stage: 'mail' | 'rcpt' | 'data', reply: Reply): void {
    this.#refusal ??= { stage, phase: 'replied', reply: reply.text() };
  }

  #dataRefused(reply: Reply): Consequence {
    this.#refuse('data', reply);
    this.#fact = this.#refusal;
    this.#leavesOpen = true;
    return 'over';
  }

  #goAhead(): Consequence {
    this.#step = 'body';
    if (this.#refusal === undefined) return 'next';
    this.#fact = this.#refusal;
    this.#leavesOpen = true;
    return this.#isRcptRefused && !this.#isResetRefused ? 'next' : 'astray';
  }

  #answered(reply: Reply, isRefused: boolean): Consequence {
    const answer: TransactionFact = { stage: 'dot', phase: 'replied', reply: reply.text() };
    const isTaken = this.isChunked && !isRefused && !this.#isRcptRefused;
    this.#fact = isTaken ? answer : (this.#refusal ?? answer);
    if (this.isChunked) this.#leavesOpen = isRefused || this.#refusal !== undefined;
    return 'over';
  }

  #strayed(reply: Reply): Consequence {
    const said = { reply: reply.text() };
    this.#fact = this.#refusal ?? (this.progress === 'dot' ? lost('dot', said) : this.#early(said));
    return 'astray';
  }

  /** Something was said before the relay had the message: it cannot have taken it. */
  #early(said: { reply: string }): TransactionFact {
    switch (this.#step) {
      case 'rset':
      case 'mail':
        return { stage: 'mail', phase: 'replied', ...said };
      case 'rcpt':
        return { stage: 'rcpt', phase: 'replied', ...said };
      default:
        return { stage: 'data', phase: 'not-sent', ...said };
    }
  }
}

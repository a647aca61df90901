import { AuthDialogue, type AuthOutcome } from './auth.ts';
import { type Behaviour, behaviourFor, isRemembered, replyLine } from './behaviour.ts';
import { BodyReader } from './body.ts';
import { bdatRefusal, type Chunk, NO_RECIPIENTS, parseBdat } from './chunk.ts';
import { ChunkedBody } from './chunked-body.ts';
import type { ReceivedBody, SessionSettings, SessionWorld, Step } from './contract.ts';
import { ehloReply, mailParametersRefusal, offersAuth, TOO_LARGE } from './offers.ts';
import { parsePath } from './path.ts';
import { Script } from './script.ts';
import { type Transaction, transactionOf } from './transaction.ts';
import { hasKeyword, VERBS, verbOf } from './verbs.ts';

/** Longest command line, bytes: AUTH's base64 may need this much (RFC 4954 §4); commands proper need 512. */
const MAX_LINE_BYTES = 12_288;
/** RFC 5321 §4.5.3.1.8: at least 100 must be taken. */
const MAX_RECIPIENTS = 1_000;
/** After so many commands that make no sense the peer is no mail client and is sent away. */
const MAX_NONSENSE = 50;

const LF = 0x0a;
const CR = 0x0d;

type State = 'ready' | 'auth' | 'body' | 'chunk' | 'refusing' | 'tls' | 'hang' | 'closed';

/**
 * One SMTP conversation, apart from its socket: bytes go in, steps come out (RFC 5321).
 *
 * States, and what a chunk's next bytes mean in each:
 * - `ready`: command lines, ended by LF (a CR before it is taken off). Commands may stand behind each other in any
 *   chunks (RFC 2920) and are answered in order. MAIL opens a transaction, RCPT adds to it, DATA with at least one
 *   accepted recipient → `body`, BDAT → `chunk`; RSET, EHLO, HELO and a finished body end it. AUTH that needs a further
 *   line → `auth`; STARTTLS → `tls`; QUIT and 421 → `closed`.
 * - `auth`: lines belong to the AUTH dialogue until it ends, well or not, → `ready`.
 * - `body`: bytes of the message up to CRLF . CRLF, then → `ready`; a recipient that asked for it → `closed`.
 * - `chunk`: as many bytes of the message as BDAT announced (RFC 3030), be they what they may, then → `ready`. Those of
 *   a refused BDAT are read and discarded before it is answered; the LAST one ends the transaction, refused or not, so
 *   that the next MAIL needs no RSET.
 * - `refusing`: after a greeting that was not 220. Everything but QUIT is answered 503 (RFC 5321 §3.1).
 * - `tls`: everything is discarded until `secured()`, including what the client wrote in clear behind STARTTLS
 *   (RFC 3207 §4.2: else a third party could inject commands). `secured()` → `ready`, with nothing known of before.
 * - `hang`: a `hang-` recipient's message was received. Everything is discarded and nothing said, until the peer
 *   gives up (an answer to a later command would be taken for the one that never comes).
 * - `closed`: everything is discarded.
 *
 * Bounds: a command line beyond 12,288 bytes is answered 500 and skipped; 1,000 recipients; 50 senseless commands.
 */
export class Session {
  readonly #settings: SessionSettings;
  readonly #world: SessionWorld;
  readonly #script = new Script();
  #state: State = 'ready';
  #secure: boolean;
  #greeted = false;
  #user: string | undefined;
  #auth: AuthDialogue | undefined;
  #transaction: Transaction | undefined;
  #body: BodyReader | undefined;
  #chunk: Chunk | undefined;
  #nonsense = 0;
  #partial: Buffer | undefined;
  #overlong = false;
  /** What the command being answered ends in, once its reply is said. */
  #leaving: 'end' | 'drop' | 'tls' | 'hang' | undefined;

  constructor(settings: SessionSettings, world: SessionWorld, secure: boolean) {
    this.#settings = settings;
    this.#world = world;
    this.#secure = secure;
  }

  get secure(): boolean {
    return this.#secure;
  }

  /** What to do when the connection opens. */
  greet(): Step[] {
    const { greeting, hostname } = this.#settings;
    if (greeting === 220) {
      this.#answer(`220 ${hostname} ESMTP Mutirao sink\r\n`);
    } else {
      this.#become('refusing');
      if (greeting === 421) this.#leaving = 'end';
      this.#answer(`${greeting} ${hostname} No service here\r\n`);
    }
    return this.#script.take();
  }

  /** The peer wrote these bytes. */
  feed(chunk: Buffer): Step[] {
    let at = 0;
    while (at < chunk.length && this.#isListening) {
      if (this.#state === 'body') at = this.#readBody(chunk, at);
      else if (this.#state === 'chunk') at = this.#readChunk(chunk, at);
      else at = this.#readLine(chunk, at);
    }
    return this.#script.take();
  }

  /** The TLS handshake is done, or about to be: what comes next is encrypted (RFC 3207 §4.2: start anew). */
  secured(): void {
    this.#secure = true;
    this.#greeted = false;
    this.#user = undefined;
    this.#transaction = undefined;
    this.#become('ready');
  }

  /** The sink sends the peer away, as for a time of idleness. */
  dismiss(reply: string): Step[] {
    if (this.#state === 'closed') return [];
    this.#leaving = 'end';
    this.#answer(reply);
    return this.#script.take();
  }

  get #isListening(): boolean {
    return this.#state !== 'closed' && this.#state !== 'tls' && this.#state !== 'hang';
  }

  #become(state: State): void {
    this.#state = state;
  }

  /** Says a reply and then does what it announced. */
  #answer(reply: string): void {
    this.#script.say(reply);
    const leaving = this.#leaving;
    if (leaving === undefined) return;
    this.#leaving = undefined;
    if (leaving !== 'hang') this.#script.add({ do: leaving });
    this.#become(leaving === 'tls' || leaving === 'hang' ? leaving : 'closed');
  }

  /** Takes one command line, or the beginning of one, from the chunk; returns where the next begins. */
  #readLine(chunk: Buffer, start: number): number {
    let end = start;
    while (end < chunk.length && chunk[end] !== LF) end += 1;
    const complete = end < chunk.length;
    const held = this.#partial?.length ?? 0;
    if (this.#overlong || held + end - start > MAX_LINE_BYTES) {
      this.#partial = undefined;
      this.#overlong = !complete;
      if (complete) this.#answer(this.#nonsensical('500 5.5.2 Line too long\r\n'));
      return end + 1;
    }
    if (!complete) {
      const rest = chunk.subarray(start);
      this.#partial = this.#partial === undefined ? Buffer.from(rest) : Buffer.concat([this.#partial, rest]);
      return chunk.length;
    }
    if (this.#partial === undefined) {
      this.#answer(this.#line(chunk, start, chunk[end - 1] === CR && end > start ? end - 1 : end));
    } else {
      const line = Buffer.concat([this.#partial, chunk.subarray(start, end)]);
      this.#partial = undefined;
      this.#answer(this.#line(line, 0, line[line.length - 1] === CR ? line.length - 1 : line.length));
    }
    // What stands behind BDAT is not sent ahead, but belongs to it.
    if (!this.#settings.pipelining && end + 1 < chunk.length && this.#state !== 'chunk')
      this.#objectToPipelining();
    return end + 1;
  }

  /** A client must not send ahead when PIPELINING was not offered: a wrong client is told at once. */
  #objectToPipelining(): void {
    if (!this.#isListening) return;
    this.#leaving = 'end';
    this.#answer('554 5.5.0 Commands were sent ahead, but PIPELINING was not offered\r\n');
  }

  /** Carries one line out; returns the reply, after which `#leaving` is done. */
  #line(line: Buffer, start: number, end: number): string {
    switch (this.#state) {
      case 'auth':
        return this.#continueAuth((this.#auth as AuthDialogue).line(line.toString('latin1', start, end)));
      case 'refusing':
        if (verbOf(line, start, end) === VERBS.quit) return this.#quit();
        return this.#nonsensical('503 5.5.1 There is no service here\r\n');
      default:
        return this.#command(line, start, end);
    }
  }

  #command(line: Buffer, start: number, end: number): string {
    switch (verbOf(line, start, end)) {
      case VERBS.mail:
        return this.#mail(line, start, end);
      case VERBS.rcpt:
        return this.#rcpt(line, start, end);
      case VERBS.data:
        return this.#data(line, start, end);
      case VERBS.bdat:
        return this.#bdat(line, start, end);
      case VERBS.rset:
        return this.#reset();
      case VERBS.noop:
        return '250 2.0.0 Ok\r\n';
      case VERBS.quit:
        return this.#quit();
      case VERBS.ehlo:
        return this.#ehlo(end - start);
      case VERBS.helo:
        if (end - start < 6) return this.#nonsensical('501 5.5.4 Who are you?\r\n');
        this.#greeted = true;
        this.#transaction = undefined;
        return `250 ${this.#settings.hostname}\r\n`;
      case VERBS.vrfy:
        return '252 2.5.2 Cannot verify, but will take mail for anyone\r\n';
      case VERBS.help:
        return '214 2.0.0 RFC 5321; see mutirao sink --help\r\n';
      case VERBS.auth:
        return this.#startAuth(line.toString('latin1', start + 4, end).trim());
      case VERBS.starttls:
        if (line.toString('latin1', start, end).trim().toUpperCase() === 'STARTTLS') return this.#startTls();
        break;
      default:
        break;
    }
    return this.#nonsensical('500 5.5.1 Command not recognised\r\n');
  }

  #nonsensical(reply: string): string {
    this.#nonsense += 1;
    if (this.#nonsense < MAX_NONSENSE) return reply;
    this.#leaving = 'end';
    return `${reply}421 4.7.0 Too many errors\r\n`;
  }

  #quit(): string {
    this.#leaving = 'end';
    return '221 2.0.0 Bye\r\n';
  }

  #reset(): string {
    const isDismissed = this.#transaction?.dismissedAtReset === true;
    this.#transaction = undefined;
    if (!isDismissed) return '250 2.0.0 Reset\r\n';
    this.#leaving = 'end';
    return replyLine(421);
  }

  #ehlo(length: number): string {
    if (length < 6) return this.#nonsensical('501 5.5.4 Who are you?\r\n');
    this.#greeted = true;
    this.#transaction = undefined;
    return ehloReply(this.#settings, this.#secure);
  }

  #startTls(): string {
    if (!this.#settings.starttls || this.#secure) return this.#nonsensical('502 5.5.1 No TLS to start\r\n');
    this.#leaving = 'tls';
    return '220 2.0.0 Ready to start TLS\r\n';
  }

  #startAuth(argument: string): string {
    if (!offersAuth(this.#settings, this.#secure))
      return this.#nonsensical('502 5.5.1 AUTH is not offered\r\n');
    if (this.#user !== undefined) return this.#nonsensical('503 5.5.1 Already authenticated\r\n');
    if (!this.#greeted || this.#transaction !== undefined) {
      return this.#nonsensical('503 5.5.1 AUTH comes after EHLO and before MAIL\r\n');
    }
    this.#auth = new AuthDialogue();
    this.#become('auth');
    return this.#continueAuth(this.#auth.begin(argument));
  }

  #continueAuth(answer: AuthOutcome): string {
    if (answer.outcome === 'ask') {
      return answer.reply;
    }
    this.#auth = undefined;
    this.#become('ready');
    if (answer.outcome === 'give-up') return this.#nonsensical(answer.reply);
    const { credentials } = answer;
    if (this.#settings.authFails || !this.#world.knows(credentials)) {
      this.#world.authFailed();
      return this.#nonsensical('535 5.7.8 Authentication failed\r\n');
    }
    this.#user = credentials.user;
    return '235 2.7.0 Welcome\r\n';
  }

  #mail(line: Buffer, start: number, end: number): string {
    if (!this.#greeted) return this.#nonsensical('503 5.5.1 Say EHLO first\r\n');
    if (this.#settings.requireTls && !this.#secure) {
      return '530 5.7.0 Must issue a STARTTLS command first\r\n';
    }
    if (this.#settings.auth === 'required' && this.#user === undefined) {
      return '530 5.7.0 Authentication required\r\n';
    }
    if (this.#transaction !== undefined) return this.#nonsensical('503 5.5.1 A transaction is open\r\n');
    const path = hasKeyword(line, start + 4, end, ' FROM:') ? parsePath(line, start + 10, end) : null;
    if (path === null) return this.#nonsensical('501 5.1.7 That is no MAIL FROM:<address>\r\n');
    let utf8 = false;
    if (path.next < end) {
      const parameters = line.toString('latin1', path.next, end).trim().toUpperCase();
      const refusal = parameters === '' ? undefined : mailParametersRefusal(parameters, this.#settings);
      if (refusal !== undefined) {
        return refusal;
      }
      utf8 = /(^| )SMTPUTF8( |$)/.test(parameters);
    }
    if (!path.ascii && !utf8) {
      return '550 5.6.7 Such an address needs SMTPUTF8\r\n';
    }
    this.#transaction = transactionOf(path.address, utf8);
    return '250 2.1.0 Sender ok\r\n';
  }

  #rcpt(line: Buffer, start: number, end: number): string {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#nonsensical('503 5.5.1 Need MAIL first\r\n');
    if (transaction.failed || transaction.chunked !== undefined) {
      return this.#nonsensical('503 5.5.1 RCPT comes before BDAT\r\n');
    }
    const path = hasKeyword(line, start + 4, end, ' TO:') ? parsePath(line, start + 8, end) : null;
    if (path === null || path.address === '') {
      return this.#refuse(501, '501 5.1.3 That is no RCPT TO:<address>\r\n');
    }
    if (path.next < end && line.toString('latin1', path.next, end).trim() !== '') {
      return this.#refuse(555, '555 5.5.4 RCPT parameter not known\r\n');
    }
    if (!path.ascii && !transaction.utf8) {
      return this.#refuse(553, '553 5.6.7 Such an address needs SMTPUTF8\r\n');
    }
    if (transaction.to.length >= MAX_RECIPIENTS) {
      return this.#refuse(452, '452 4.5.3 Too many recipients\r\n');
    }
    const { address } = path;
    const behaviour = behaviourFor(address, this.#world);
    if (behaviour?.at === 'rcpt') {
      if (behaviour.does === 'reply' && behaviour.code < 400) transaction.to.push(address);
      return this.#misbehave(behaviour, address);
    }
    if (behaviour?.at === 'rset') {
      transaction.dismissedAtReset = true;
      return this.#misbehave(behaviour, address);
    }
    const refusal = this.#world.refusal();
    if (refusal !== undefined) return this.#refuse(451, refusal);
    if (behaviour !== undefined && transaction.behaviour === undefined) {
      transaction.behaviour = behaviour;
      transaction.behaviourOf = address;
    }
    transaction.to.push(address);
    return '250 2.1.5 Recipient ok\r\n';
  }

  #refuse(code: number, reply: string): string {
    this.#world.refused(code);
    return reply;
  }

  /** Carries a behaviour out, and remembers that it was when it is not for ever. Returns what is said. */
  #misbehave(behaviour: Behaviour, address: string): string {
    if (isRemembered(address)) this.#world.noteMisbehaved(address);
    switch (behaviour.does) {
      case 'reply':
        if (behaviour.code >= 400) this.#world.refused(behaviour.code);
        if (behaviour.code === 421) this.#leaving = 'end';
        return behaviour.reply;
      case 'dismiss':
        return this.#refuse(451, replyLine(451));
      case 'garbage':
        return behaviour.reply;
      case 'drop':
        this.#leaving = 'drop';
        return '';
      case 'slow':
        this.#script.add({ do: 'wait', ms: this.#settings.slowMs });
        return OK_RECEIVED;
      case 'hang':
        this.#leaving = 'hang';
        return '';
      default:
        return behaviour satisfies never;
    }
  }

  #data(line: Buffer, start: number, end: number): string {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#nonsensical('503 5.5.1 Need MAIL and RCPT first\r\n');
    if (end - start > 4 && line.toString('latin1', start + 4, end).trim() !== '') {
      return this.#nonsensical('501 5.5.4 DATA takes no argument\r\n');
    }
    if (transaction.to.length === 0) {
      return NO_RECIPIENTS;
    }
    if (transaction.failed || transaction.chunked !== undefined) {
      transaction.failed = true;
      return this.#nonsensical('503 5.5.1 DATA does not mix with BDAT\r\n');
    }
    this.#body = new BodyReader(this.#settings.collect, this.#settings.maxMessageBytes);
    this.#become('body');
    return '354 Send it; end with <CRLF>.<CRLF>\r\n';
  }

  #readBody(chunk: Buffer, start: number): number {
    const body = this.#body as BodyReader;
    const transaction = this.#transaction as Transaction;
    if (transaction.behaviour?.at === 'body') {
      this.#answer(this.#misbehave(transaction.behaviour, transaction.behaviourOf));
      return chunk.length;
    }
    const next = body.read(chunk, start);
    if (!body.ended) return next;
    this.#body = undefined;
    this.#transaction = undefined;
    this.#become('ready');
    this.#answer(this.#finish(transaction, body));
    if (!this.#settings.pipelining && next < chunk.length) this.#objectToPipelining();
    return next;
  }

  #bdat(line: Buffer, start: number, end: number): string {
    const announced = parseBdat(line, start + 4, end);
    if (announced === null) {
      this.#leaving = 'end';
      return '501 5.5.4 That is no BDAT <bytes> [LAST], and who knows what follows it\r\n';
    }
    const { size, last } = announced;
    const transaction = this.#transaction;
    const refusal = bdatRefusal(transaction, this.#settings.chunking);
    if (refusal === undefined && transaction !== undefined) {
      if (last && transaction.behaviour?.at === 'body') {
        return this.#misbehave(transaction.behaviour, transaction.behaviourOf);
      }
      transaction.chunked ??= new ChunkedBody(this.#settings.collect, this.#settings.maxMessageBytes);
    }
    const chunk: Chunk = { size, last, left: size, refusal };
    if (size === 0) return this.#finishChunk(chunk);
    this.#chunk = chunk;
    this.#become('chunk');
    return '';
  }

  #readChunk(bytes: Buffer, start: number): number {
    const chunk = this.#chunk as Chunk;
    const next = Math.min(bytes.length, start + chunk.left);
    chunk.left -= next - start;
    if (chunk.refusal === undefined) this.#transaction?.chunked?.read(bytes, start, next);
    if (chunk.left > 0) return next;
    this.#chunk = undefined;
    this.#become('ready');
    this.#answer(this.#finishChunk(chunk));
    if (!this.#settings.pipelining && next < bytes.length) this.#objectToPipelining();
    return next;
  }

  /** All bytes of a chunk were read: what is said. A refused LAST ends the transaction as an accepted one does. */
  #finishChunk({ size, last, refusal }: Chunk): string {
    const transaction = this.#transaction;
    const body = transaction?.chunked;
    if (last) this.#transaction = undefined;
    if (refusal !== undefined || transaction === undefined || body === undefined) {
      if (transaction !== undefined) transaction.failed = true;
      return refusal ?? '';
    }
    if (last) return this.#finish(transaction, body);
    if (body.size <= this.#settings.maxMessageBytes) return `250 2.0.0 ${size} bytes received\r\n`;
    transaction.failed = true;
    return this.#refuse(552, TOO_LARGE);
  }

  /** The final dot, or the last chunk, was read: the message is refused, or counted and then answered as its recipients asked. */
  #finish(transaction: Transaction, body: ReceivedBody): string {
    if (body.size > this.#settings.maxMessageBytes) {
      return this.#refuse(552, TOO_LARGE);
    }
    const { behaviour } = transaction;
    if (behaviour?.does === 'reply' && behaviour.code >= 400) {
      return this.#misbehave(behaviour, transaction.behaviourOf);
    }
    const stored = this.#world.accept({
      from: transaction.from,
      to: transaction.to,
      messageId: body.messageId,
      size: body.size,
      content: this.#settings.collect ? body.content() : undefined,
      secure: this.#secure,
      user: this.#user,
    });
    if (!stored) return this.#refuse(452, '452 4.3.1 Cannot store the message\r\n');
    this.#nonsense = 0;
    const ms = this.#world.delayMs();
    if (ms > 0) this.#script.add({ do: 'wait', ms });
    return behaviour === undefined ? OK_RECEIVED : this.#misbehave(behaviour, transaction.behaviourOf);
  }
}

const OK_RECEIVED = replyLine(250, '2.0.0', 'Message received');

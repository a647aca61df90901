import type { VirtualSocket } from '../network/virtual-socket.ts';
import type { CommittedBatch } from '../store/disk.ts';
import type { Counted } from '../store/naive-batch.ts';
import type { Receipt } from '../town/client-node.ts';
import type { VirtualRelay } from '../town/relay.ts';
import type { ServerNode, ServerRun } from '../town/server-node.ts';
import type { Mail, Town, Witness } from '../town/town.ts';
import type { WorkerNode } from '../town/worker-node.ts';
import { checkEnd, whatIsLeft } from './end.ts';
import { checkNow } from './now.ts';
import { Tickets } from './tickets.ts';
import { type Invariant, type Observed, Violation } from './violation.ts';

/** How often everything is looked at, virtual ms. */
const LOOK_EVERY_MS = 500;

/** A worker that has come home is not lent to the same borrower again for this long, less what clocks differ by; ms. */
const REST_MS = 1_950;

/** Watches a town: is told of what happens, looks at everything now and then, and remembers the first thing that must not be. */
export class Watch implements Witness, Observed {
  #town: Town | undefined;
  /** How often relays have accepted each mail. */
  readonly accepts = new Map<string, number>();
  readonly receipts = new Map<string, Receipt>();
  readonly tickets = new Tickets();
  /** By home and worker: from which borrower it came last. */
  readonly #cameHome = new Map<
    string,
    { readonly borrower: string | undefined; readonly at: number; readonly run: ServerRun | undefined }
  >();
  readonly #unproven: { readonly batch: CommittedBatch; readonly seq: number }[] = [];
  #lookedAt = 0;
  violation: Violation | undefined;
  /** How often workers were lent: a test makes sure that it happens. */
  loans = 0;
  /** Told of every line of a log. */
  onSaid: (who: string, level: string, fields: object, message: string) => void = () => {};

  observe(town: Town): void {
    this.#town = town;
    town.network.tap = (socket, text) => this.#sent(socket, text);
    for (const server of town.servers) {
      server.disk.onCommitted = (batch) => {
        batch.model.onMove = (seq, from, to) => this.#moved(batch, seq, from, to);
      };
    }
  }

  get town(): Town {
    if (this.#town === undefined) throw new Error('nothing is watched');
    return this.#town;
  }

  /** To be called after every event. */
  afterStep(): void {
    for (const { batch, seq } of this.#unproven.splice(0)) {
      if (batch.model.recipients[seq]?.byDecision !== true)
        this.#fails('sent means accepted', `${seq} of ${batch.record.uuid} is sent, and no relay has it`);
    }
    const { now } = this.town.events;
    if (now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    this.check(() => checkNow(this));
  }

  isAtRest(): boolean {
    return whatIsLeft(this) === undefined;
  }

  /** The story is over. */
  checkEnd(): void {
    this.check(() => checkNow(this));
    this.check(() => checkEnd(this));
  }

  check(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.violation ??= error;
    }
  }

  begun({ batch, seq }: Mail, worker: WorkerNode): void {
    const server = this.town.serverOf(batch);
    const model = server?.disk.batches.get(batch)?.model;
    const one = model?.recipients[seq];
    if (one === undefined) {
      this.#fails('sent under a lease', `${worker.name} begins ${seq} of ${batch}, which is nowhere`);
    } else if (one.task?.worker !== worker.uuid && one.state !== 'sent') {
      this.#fails(
        'sent under a lease',
        `${worker.name} begins ${seq} of ${batch}, which is ${one.state}${one.task === undefined ? '' : ` at ${one.task.worker}`}`,
      );
    }
  }

  accepted({ batch, seq }: Mail, _relay: VirtualRelay): void {
    const key = `${batch} ${seq}`;
    this.accepts.set(key, (this.accepts.get(key) ?? 0) + 1);
  }

  receipt(receipt: Receipt): void {
    const { key } = receipt.order;
    const before = this.receipts.get(key);
    if (before !== undefined && before.batch !== receipt.batch)
      this.#fails('nothing lost', `${key} was submitted as ${before.batch} and as ${receipt.batch}`);
    this.receipts.set(key, receipt);
  }

  said(who: string, level: string, fields: object, message: string): void {
    this.onSaid(who, level, fields, message);
    const { worker, borrower, loan } = fields as { worker?: string; borrower?: string; loan?: string };
    if (message === 'lends a worker') this.#lent(who, worker ?? '', borrower ?? '');
    else if (message === 'lent worker is home')
      this.#cameHome.set(`${who} ${worker}`, { borrower, at: this.town.events.now, run: this.#runOf(who) });
    else if (message === 'borrowed worker has left for home' && loan !== undefined)
      this.tickets.ended(loan, this.#runOf(who));
    else if (message === 'IDENTITY LOST') this.#fails('nothing lost', `${who} lost its identity`);
  }

  /** A ticket was shown a second time, and somebody was let in with it. */
  ticketAdmitted(loan: string, server: string): void {
    this.#fails('tickets end', `${server} let somebody in by the ticket of ${loan}, which had ended`);
  }

  #lent(home: string, worker: string, borrower: string): void {
    this.loans++;
    const server = this.#serverNamed(home);
    const run = server?.run;
    if (server === undefined || run === undefined) return;
    const { keepHome } = (this.town.scenario.servers.find(({ name }) => name === home) ?? server).settings;
    const left = [...run.core.workers.all()].filter(
      (one) => one.home === undefined && !one.departing && !one.leaving,
    );
    if (left.length < keepHome)
      this.#fails('keep home', `${home} lends ${worker} and keeps ${left.length}, not ${keepHome}`);
    const last = this.#cameHome.get(`${home} ${worker}`);
    if (last?.borrower === borrower && last.run === run && this.town.events.now - last.at < REST_MS)
      this.#fails('no ping-pong', `${home} lends ${worker} to ${borrower} again right after it came home`);
  }

  #moved(batch: CommittedBatch, seq: number, from: Counted, to: Counted): void {
    const { uuid } = batch.record;
    if (from === 'sent' && to !== 'sent')
      this.#fails('sent is final', `${seq} of ${uuid} was sent and is ${to}`);
    if (to === 'sent' && !this.accepts.has(`${uuid} ${seq}`)) this.#unproven.push({ batch, seq });
  }

  #sent(socket: VirtualSocket, text: string): void {
    if (text.includes('"TICKET"')) this.tickets.seen(socket, text);
  }

  #runOf(name: string): ServerRun | undefined {
    return this.#serverNamed(name)?.run;
  }

  #serverNamed(name: string): ServerNode | undefined {
    return this.town.servers.find((server) => server.name === name);
  }

  #fails(invariant: Invariant, detail: string): void {
    this.violation ??= new Violation(invariant, detail);
  }
}

import { hasSeq } from '../../../protocol/index.ts';
import type { Town } from '../town/town.ts';
import { type Observed, Violation } from './violation.ts';

/** What the story still waits for; undefined: nothing. */
export function whatIsLeft({ town, receipts }: Observed): string | undefined {
  const { scenario, client, servers, workers } = town;
  if (client.waiting > 0 || receipts.size < scenario.batches.length)
    return `${client.waiting} submissions are not answered`;
  for (const { name, disk, run } of servers) {
    if (run === undefined || !run.isListening) return `${name} does not run`;
    for (const [uuid, { model }] of disk.batches) {
      if (model.finishedAt === undefined)
        return `batch ${uuid} of ${name} is ${model.state}: ${JSON.stringify(model.figures.counts)}`;
    }
    const { lent, borrowed } = run.core.mesh.snapshot();
    if (lent.length > 0)
      return `${name} has lent ${lent.map((loan) => `${loan.worker} (${loan.state})`).join(', ')}`;
    if (borrowed.length > 0)
      return `${name} has borrowed ${borrowed.map((loan) => `${loan.worker} (${loan.state})`).join(', ')}`;
    if (!run.store.isQuiet) return `the store of ${name} is at work`;
  }
  for (const { name, run, home } of workers) {
    if (run === undefined) return `${name} does not run`;
    const { connected, server } = run.worker.snapshot();
    if (!connected || server !== home.url) return `${name} is not at home but at ${server}`;
  }
  return undefined;
}

/** What must hold when all is over. @throws Violation */
export function checkEnd(watch: Observed): void {
  const left = whatIsLeft(watch);
  if (left !== undefined) throw new Violation('liveness', left);
  checkBatches(watch);
  checkMails(watch);
  checkLoans(watch.town);
}

function checkBatches({ town, receipts }: Observed): void {
  for (const { order, batch, accepted } of receipts.values()) {
    const stored = order.server.disk.batches.get(batch);
    if (stored === undefined) throw new Violation('nothing lost', `${batch} was accepted and is gone`);
    if (stored.model.recipients.length !== order.recipients || accepted !== order.recipients)
      throw new Violation(
        'nothing lost',
        `${batch} has ${stored.model.recipients.length} of ${order.recipients}`,
      );
  }
  for (const { name, disk } of town.servers) {
    const keys = [...disk.batches.values()].map(({ record }) => record.key);
    if (new Set(keys).size < keys.length) throw new Violation('nothing lost', `${name} has a batch twice`);
    for (const [uuid, { model }] of disk.batches) {
      const { pending, leased, deferred } = model.figures.counts;
      if (pending + leased + deferred > 0)
        throw new Violation(
          'states sum up',
          `${uuid} is finished and has ${pending + leased + deferred} open`,
        );
    }
  }
}

function checkMails({ town, accepts }: Observed): void {
  for (const { disk } of town.servers) {
    for (const [uuid, { model }] of disk.batches) {
      for (const one of model.recipients) {
        const times = accepts.get(`${uuid} ${one.seq}`) ?? 0;
        const isMarked = one.maybeSent || one.acceptedTwice;
        const hasRow = model.duplicates.some(({ seqs }) => hasSeq(seqs, one.seq));
        if (one.state === 'sent' && times === 0 && !one.byDecision)
          throw new Violation('sent means accepted', `${one.seq} of ${uuid} is sent, and no relay has it`);
        if (times > 1 && !(isMarked && hasRow))
          throw new Violation(
            'duplicates explained',
            `${one.seq} of ${uuid} was accepted ${times} times, ${isMarked ? 'marked' : 'not marked'}, ${hasRow ? 'with' : 'without'} a row`,
          );
        if (times > 0 && (one.state === 'failed' || one.state === 'cancelled') && !isMarked)
          throw new Violation(
            'acceptance recorded',
            `${one.seq} of ${uuid} was accepted and is ${one.state}, without a mark`,
          );
      }
    }
  }
}

function checkLoans({ servers }: Town): void {
  for (const { name, disk } of servers) {
    const { made, returned, lost } = disk.totals;
    if (made !== returned + lost || disk.loans.size > 0)
      throw new Violation('loans conserved', `${name}: ${made} made, ${returned} returned, ${lost} lost`);
  }
}

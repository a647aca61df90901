import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_RECORD, type TransactionFact } from '../../../worker/tasks/contract.ts';
import { Lease } from '../../../worker/tasks/lease.ts';
import { DEAD_RELAY_FAULTS, relayKeyOf, Task } from '../../../worker/tasks/task.ts';
import { expand } from '../support/scripted-server.ts';
import { people, taskOf } from '../support/tasks.ts';

const MESSAGE = { render: () => ({ envelope: { from: '', to: '' }, bytes: Buffer.from('') }) };
const SENT: TransactionFact = { stage: 'dot', phase: 'replied', reply: '250 ok' };
const REFUSED: TransactionFact = { stage: 'rcpt', phase: 'replied', reply: '550 no' };
const FAULT: TransactionFact = { stage: 'connect', phase: 'not-sent', error: 'refused' };
const LOCAL: TransactionFact = { stage: 'local', phase: 'not-sent', error: 'too large' };

function task(count: number): Task {
  const it = new Task(
    { send: taskOf('t', 25, people(count)), origin: 'ws://a', worker: 'w', record: NO_RECORD },
    0,
  );
  it.composed(MESSAGE);
  return it;
}

function run(it: Task, facts: readonly TransactionFact[]): void {
  for (const fact of facts) {
    const taken = it.take(0);
    if (taken === undefined) return;
    it.settle(taken.recipient, fact);
  }
}

describe('a task', () => {
  test('gives nothing before its message is composed, after its lease, or when it is stopped', () => {
    const composing = new Task(
      { send: taskOf('t', 25, people(3)), origin: 'ws://a', worker: 'w', record: NO_RECORD },
      0,
    );
    expect(composing.take(0)).toBeUndefined();
    const it = task(3);
    expect(it.take(60_000)).toBeUndefined();
    expect(it.take(59_999)?.recipient.SEQ).toBe(0);
    it.stop('asked back');
    expect(it.take(0)).toBeUndefined();
    expect(it.isOver).toBe(false);
    expect(it.untouched()).toEqual([[1, 2]]);
  });

  test('leaves a dead relay after a few faults in a row', () => {
    const it = task(100);
    run(
      it,
      Array.from({ length: 100 }, () => FAULT),
    );
    expect(it.untouched()).toEqual([[DEAD_RELAY_FAULTS, 99]]);
  });

  test('a sign of life between the faults keeps it going: also a refusal is one', () => {
    const it = task(100);
    const nearly = Array.from({ length: DEAD_RELAY_FAULTS - 1 }, () => FAULT);
    run(it, [...nearly, REFUSED, ...nearly, SENT, ...nearly]);
    expect(it.stopReason).toBeUndefined();
  });

  test('what the worker refuses by itself is no sign of life', () => {
    const it = task(100);
    run(it, [FAULT, FAULT, FAULT, FAULT, LOCAL, FAULT]);
    expect(it.stopReason).toBeDefined();
  });

  test('whatever happens, recipients are taken in order, and taken or untouched', () => {
    const step = fc.constantFrom('take', 'sent', 'fault', 'stop');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const it = task(30);
        const taken: number[] = [];
        const flying: NonNullable<ReturnType<Task['take']>>[] = [];
        for (const what of steps) {
          if (what === 'take') {
            const next = it.take(0);
            if (next === undefined) continue;
            taken.push(next.recipient.SEQ);
            flying.push(next);
          } else if (what === 'stop') it.stop('asked back');
          else {
            const one = flying.shift();
            if (one !== undefined) it.settle(one.recipient, what === 'sent' ? SENT : FAULT);
          }
        }
        expect(taken).toEqual(Array.from({ length: taken.length }, (_, i) => i));
        expect([...taken, ...expand(it.untouched() as [number, number][])]).toEqual(
          Array.from({ length: 30 }, (_, i) => i),
        );
        expect(it.isOver).toBe(it.left === 0 && flying.length === 0);
      }),
    );
  });

  test('relays are told apart by address and login, not by the share of connections', () => {
    const relay = { NAME: 'r', HOST: 'h', PORT: 25, SECURE: false };
    expect(relayKeyOf({ ...relay, CONNECTIONS: 3 })).toBe(relayKeyOf(relay));
    expect(relayKeyOf({ ...relay, PASS: 'new' })).not.toBe(relayKeyOf(relay));
  });
});

describe('a lease', () => {
  test('counts from when the renewal was asked for, and never gets shorter', () => {
    const lease = new Lease(0, 60_000);
    lease.renew(20_000, 60_000);
    expect(lease.allows(79_999)).toBe(true);
    expect(lease.allows(80_000)).toBe(false);
    lease.renew(10_000, 60_000);
    expect(lease.allows(79_999)).toBe(true);
  });

  test('that is lost stays lost', () => {
    const lease = new Lease(0, 60_000);
    lease.lose();
    lease.renew(0, 60_000);
    expect(lease.allows(1)).toBe(false);
  });

  test('can be renewed after it ran out, but not for ever', () => {
    const lease = new Lease(0, 1_000);
    expect(lease.isOverdue(1_999)).toBe(false);
    expect(lease.isOverdue(2_000)).toBe(true);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LoanLedger } from '../../../server/mesh/ledger.ts';
import type { LoanRecord } from '../../../server/mesh/store.ts';

const SETTINGS = { lendMs: 60_000, loanGraceMs: 30_000, absentMs: 20_000 };
const at = (ms: number) => ({ wall: 1_000_000 + ms, mono: ms });
const B = { uuid: 'b', url: 'ws://b:1' };
const away = () => false;

function loan(worker: string, borrower = 'b', ms = 0): LoanRecord {
  const { wall } = at(ms);
  return {
    loan: `${worker}-${ms}`,
    worker,
    borrower,
    borrowerUrl: 'ws://b:1',
    lentAt: wall,
    lendUntil: wall + 60_000,
  };
}

test('a loan is redirected, there, returning, and returned when the worker is home', () => {
  const ledger = new LoanLedger(SETTINGS);
  ledger.lend(loan('w'), at(0));
  expect(ledger.of('w')?.state).toBe('redirected');
  expect(ledger.report(B, ['w'], away, at(100)).arrived).toHaveLength(1);
  expect(ledger.of('w')?.state).toBe('there');
  ledger.returning('w', true, at(200));
  ledger.report(B, ['w'], away, at(300));
  expect(ledger.of('w')?.state).toBe('returning');
  expect(ledger.cameHome('w', at(400))).toMatchObject({ returned: true });
  expect(ledger.totals()).toEqual({ made: 1, returned: 1, lost: 0 });
  expect(ledger.cameHomeAt('w', 'b')).toBe(400);
  expect(ledger.cameHomeAt('w', 'c')).toBeUndefined();
});

describe('a loan is lost', () => {
  test('when its borrower no longer mentions the worker, and it is not home', () => {
    const ledger = new LoanLedger(SETTINGS);
    ledger.lend(loan('w'), at(0));
    ledger.report(B, ['w'], away, at(100));
    ledger.report(B, [], away, at(1_000));
    expect(ledger.expire(away, at(20_999))).toEqual([]);
    expect(ledger.expire(away, at(21_000))).toMatchObject([{ returned: false }]);
  });

  test('but not when it is mentioned again in between', () => {
    const ledger = new LoanLedger(SETTINGS);
    ledger.lend(loan('w'), at(0));
    ledger.report(B, ['w'], away, at(100));
    ledger.report(B, [], away, at(1_000));
    ledger.report(B, ['w'], away, at(15_000));
    expect(ledger.expire(away, at(30_000))).toEqual([]);
  });

  test('when its end and the grace are over and the borrower never said anything', () => {
    const ledger = new LoanLedger(SETTINGS);
    ledger.lend(loan('w'), at(0));
    expect(ledger.expire(away, at(89_999))).toEqual([]);
    expect(ledger.expire(away, at(90_000))).toMatchObject([{ returned: false }]);
  });

  test('but a worker that overstays and is still mentioned is waited for', () => {
    const ledger = new LoanLedger(SETTINGS);
    ledger.lend(loan('w'), at(0));
    ledger.report(B, ['w'], away, at(95_000));
    expect(ledger.expire(away, at(100_000))).toEqual([]);
  });

  test('and one that never left counts as returned', () => {
    const ledger = new LoanLedger(SETTINGS);
    ledger.lend(loan('w'), at(0));
    expect(ledger.expire((worker) => worker === 'w', at(90_000))).toMatchObject([{ returned: true }]);
  });
});

describe('after a restart', () => {
  test('open loans are open, and the borrower says where the workers are', () => {
    const ledger = new LoanLedger(SETTINGS);
    ledger.restore([loan('w')], { made: 7, returned: 5, lost: 1 }, at(0));
    expect(ledger.totals()).toEqual({ made: 7, returned: 5, lost: 1 });
    ledger.report(B, ['w'], away, at(100));
    expect(ledger.of('w')?.state).toBe('there');
  });

  test('a worker that the ledger does not know is entered by its borrower word', () => {
    const ledger = new LoanLedger(SETTINGS);
    expect(ledger.report(B, ['w'], away, at(0)).entered).toMatchObject([
      { worker: 'w', borrower: 'b', state: 'there' },
    ]);
    expect(ledger.totals().made).toBe(1);
  });

  test('but not when it is home, or has just come home, or is with another', () => {
    const ledger = new LoanLedger(SETTINGS);
    expect(ledger.report(B, ['w'], (worker) => worker === 'w', at(0)).entered).toEqual([]);
    ledger.lend(loan('w'), at(0));
    ledger.cameHome('w', at(100));
    expect(ledger.report(B, ['w'], away, at(200)).entered).toEqual([]);
    ledger.lend(loan('v', 'c'), at(0));
    expect(ledger.report(B, ['v'], away, at(200)).entered).toEqual([]);
    expect(ledger.of('v')?.borrower).toBe('c');
  });
});

test('whatever happens: one loan per worker, and made = open + returned + lost', () => {
  const worker = fc.constantFrom('w1', 'w2', 'w3');
  const borrower = fc.constantFrom('b', 'c');
  const event = fc.oneof(
    fc.record({ kind: fc.constant('lend' as const), worker, borrower }),
    fc.record({ kind: fc.constant('report' as const), borrower, workers: fc.uniqueArray(worker) }),
    fc.record({ kind: fc.constant('returning' as const), worker, recalled: fc.boolean() }),
    fc.record({ kind: fc.constant('home' as const), worker }),
    fc.record({ kind: fc.constant('expire' as const) }),
    fc.record({ kind: fc.constant('undo' as const), worker }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.nat(15_000))), (events) => {
      const ledger = new LoanLedger(SETTINGS);
      let ms = 0;
      for (const [e, after] of events) {
        ms += after;
        if (e.kind === 'lend' && ledger.of(e.worker) === undefined)
          ledger.lend(loan(e.worker, e.borrower, ms), at(ms));
        if (e.kind === 'report')
          ledger.report({ uuid: e.borrower, url: 'ws://x:1' }, e.workers, away, at(ms));
        if (e.kind === 'returning') ledger.returning(e.worker, e.recalled, at(ms));
        if (e.kind === 'home') ledger.cameHome(e.worker, at(ms));
        if (e.kind === 'expire') ledger.expire(away, at(ms));
        if (e.kind === 'undo') ledger.undo(e.worker);
        const { made, returned, lost } = ledger.totals();
        expect(made).toBe(ledger.size + returned + lost);
        expect(new Set(ledger.open().map((open) => open.worker)).size).toBe(ledger.size);
      }
    }),
  );
});

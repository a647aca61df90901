import { describe, expect, it } from 'vitest';
import type { LoanRecord } from '../../../server/mesh/store.ts';
import type { Subject } from './fixture.ts';

const loan = (name: string, lendUntil = 2): LoanRecord => ({
  loan: name,
  worker: `worker of ${name}`,
  borrower: 'b',
  borrowerUrl: 'ws://127.0.0.1:1',
  lentAt: 1.5,
  lendUntil,
});

export function loansContract(subject: Subject): void {
  describe('the ledger of loans', () => {
    it('keeps open loans and totals over a restart', async () => {
      await subject.store.saveLoans([loan('l1'), loan('l2'), loan('l3')]);
      await subject.store.saveLoans([loan('l2', 99)]);
      await subject.store.endLoan('l1', true);
      await subject.store.endLoan('l1', true);
      await subject.store.endLoan('l3', false);
      await subject.store.endLoan('nobody', false);
      const store = await subject.reopen();
      expect(await store.openLoans()).toEqual([loan('l2', 99)]);
      expect(await store.loanTotals()).toEqual({ made: 3, returned: 1, lost: 1 });
    });
  });
}

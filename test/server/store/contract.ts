import { afterEach, beforeEach, describe, expect } from 'vitest';
import type { Store } from '../../../server/store/store.ts';
import { actionsContract } from './contract-actions.ts';
import { claimContract } from './contract-claim.ts';
import { expiryContract } from './contract-expiry.ts';
import { inquestContract } from './contract-inquest.ts';
import { instanceContract } from './contract-instance.ts';
import { intakeContract } from './contract-intake.ts';
import { lateContract } from './contract-late.ts';
import { loansContract } from './contract-loans.ts';
import { modelContract } from './contract-model.ts';
import { resolveContract } from './contract-resolve.ts';
import { settleContract } from './contract-settle.ts';
import type { StoreFixture, Subject } from './fixture.ts';

/** What every backend must do; the semantics are written at the interfaces. */
export function storeContract(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`the contract of a store: ${name}`, () => {
    let fixture: StoreFixture;
    let store: Store;
    const seen = new Set<string>();

    const subject: Subject = {
      get store() {
        return store;
      },
      get fixture() {
        return fixture;
      },
      async reopen() {
        await store.stop();
        store = fixture.open();
        await store.start();
        return store;
      },
      async expectSound(uuid) {
        seen.add(uuid);
        const [audit, record] = await Promise.all([store.audit(uuid), store.getBatch(uuid)]);
        expect(audit.problems).toEqual([]);
        expect(record?.counts).toEqual(audit.counts);
      },
    };

    beforeEach(async () => {
      fixture = await makeFixture();
      store = fixture.open();
      await store.start();
    });
    afterEach(async () => {
      for (const uuid of seen) await subject.expectSound(uuid);
      seen.clear();
      await store.stop();
      await fixture.dispose();
    });

    intakeContract(subject);
    claimContract(subject);
    settleContract(subject);
    lateContract(subject);
    actionsContract(subject);
    resolveContract(subject);
    inquestContract(subject);
    expiryContract(subject);
    instanceContract(subject);
    loansContract(subject);
    modelContract(subject);
  });
}

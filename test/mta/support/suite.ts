import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { whyMissing } from '../../../scripts/mta/place.ts';
import { Harness } from '../../worker/support/harness.ts';
import { type Kind, Mta, type Wishes } from './mta.ts';

/** Tests against one kind of server; skipped, with the reason, where it is not. */
export function describeMta(kind: Kind, tests: () => void): void {
  const missing = whyMissing(kind.name);
  if (missing !== undefined) console.warn(`Skipped, the tests against ${kind.name}: ${missing}`);
  describe.skipIf(missing !== undefined)(
    missing === undefined ? kind.name : `${kind.name} (${missing})`,
    tests,
  );
}

/** One server for all tests of a describe, and for each its own workers. */
export function running(
  kind: Kind,
  wishes: Wishes = {},
): { readonly harness: Harness; readonly mta: () => Mta } {
  const harness = new Harness();
  let mta: Mta | undefined;
  beforeAll(async () => {
    mta = await Mta.run(kind, wishes);
  });
  afterEach(() => harness.clean());
  afterAll(() => mta?.remove());
  return { harness, mta: () => mta as Mta };
}

import { beforeEach, describe, expect, test } from 'vitest';
import type {
  Adopted,
  OwnerRequest,
  OwnerStore,
  Renewal,
  ServerRecord,
} from '../../../server/owners/store.ts';
import { Takeover } from '../../../server/owners/takeover.ts';
import { Tenure } from '../../../server/owners/tenure.ts';
import { StoreError } from '../../../server/store/errors.ts';
import type { SetTimer } from '../../../server/timers.ts';
import { MemoryDispatch, recordOf } from '../dispatch/memory-dispatch.ts';

const LEASE_MS = 9_000;
/** Longer than a server that has just got its lease waits for the others. */
const LONG_MS = 2_000;

/** Time that passes when the test says so. */
class Hand {
  now = 0;
  #timers: { readonly at: number; readonly call: () => void }[] = [];

  readonly setTimer: SetTimer = (call, ms) => {
    const timer = { at: this.now + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.now = next.at;
      next.call();
    }
    this.now = end;
  }
}

/** A store that answers what the test has put there. */
class ScriptedStore implements OwnerStore {
  readonly isShared = true;
  isAway = false;
  renewal: Renewal = { known: true, lost: [] };
  owned: readonly string[] = [];
  orphans: Adopted[] = [];
  inbox: OwnerRequest[] = [];
  readonly asked: string[] = [];
  notOwner: (batch: string | undefined) => void = () => {};

  async register(): Promise<void> {}
  async renew(): Promise<Renewal> {
    this.#ask('renew');
    return this.renewal;
  }
  async adopt(limit: number): Promise<readonly Adopted[]> {
    this.#ask('adopt');
    return this.orphans.splice(0, limit);
  }
  async notOwned(batches: readonly string[]): Promise<readonly string[]> {
    this.#ask('notOwned');
    return batches.filter((batch) => !this.owned.includes(batch));
  }
  async requests(): Promise<readonly OwnerRequest[]> {
    return this.inbox.splice(0);
  }
  async servers(): Promise<readonly ServerRecord[]> {
    return ['me', 'ann', 'bob'].map((server) => ({ server, url: `ws://${server}`, live: server !== 'bob' }));
  }
  async release(): Promise<void> {
    this.#ask('release');
  }
  onNotOwner(listener: (batch: string | undefined) => void): () => void {
    this.notOwner = listener;
    return () => {
      this.notOwner = () => {};
    };
  }
  onChange(): () => void {
    return () => {};
  }
  async adoptBatch(): Promise<boolean> {
    return false;
  }
  async ownerOf(): Promise<undefined> {}
  async figures(): Promise<undefined> {}
  async ask(): Promise<unknown> {
    return undefined;
  }
  async answer(): Promise<void> {}

  #ask(what: string): void {
    this.asked.push(what);
    if (this.isAway) throw new StoreError('STORE_UNAVAILABLE', 'away');
  }
}

describe('a tenure', () => {
  let hand: Hand;
  let store: ScriptedStore;
  let dispatch: MemoryDispatch;
  let tenure: Tenure;
  let served: string[];
  let neighbours: string[];
  let losses: number;

  beforeEach(async () => {
    [hand, store, dispatch] = [new Hand(), new ScriptedStore(), new MemoryDispatch()];
    [served, neighbours, losses] = [[], [], 0];
    tenure = new Tenure({
      store,
      server: 'me',
      leaseMs: LEASE_MS,
      takeover: new Takeover(dispatch.context, store),
      batches: () => dispatch.context.batches.all(),
      serve: async ({ id }) => void served.push(id),
      wake: () => {},
      neighbours: (servers) => {
        neighbours = servers.map(({ server }) => server);
      },
      nameLost: () => {
        losses++;
      },
      clocks: () => ({ monotonic: hand.now, now: hand.now }),
      setTimer: hand.setTimer,
      random: () => 0.5,
    });
    dispatch.context.batches.takeUp(recordOf('b', { pending: 10 }));
    store.owned = ['b'];
    await tenure.start();
  });

  const has = (batch: string): boolean => dispatch.context.batches.get(batch) !== undefined;
  const orphan = (uuid: string): Adopted => ({
    batch: recordOf(uuid, { pending: 1 }),
    leases: [],
    from: 'bob',
  });

  test('is held for as long as it is renewed, three times in the time of a lease', async () => {
    await hand.pass(10 * LEASE_MS);
    expect(tenure.isHeld()).toBe(true);
    const renewals = store.asked.filter((what) => what === 'renew').length;
    expect(renewals).toBeGreaterThanOrEqual(30);
    expect(renewals).toBeLessThan(33);
  });

  test('runs out while the store is away, and is held again when it is back and nobody has taken over', async () => {
    store.isAway = true;
    await hand.pass(LEASE_MS);
    expect(tenure.isHeld()).toBe(false);
    expect(has('b')).toBe(true);
    store.isAway = false;
    await hand.pass(1_000);
    expect(tenure.isHeld()).toBe(true);
    expect(has('b')).toBe(true);
  });

  test('lets go of what others have taken over before it is held again', async () => {
    store.isAway = true;
    await hand.pass(2 * LEASE_MS);
    [store.isAway, store.owned] = [false, []];
    const heldWithIt: boolean[] = [];
    const { context } = dispatch;
    context.batches.onDrop(() => heldWithIt.push(tenure.isHeld()));
    await hand.pass(1_000);
    expect(heldWithIt).toEqual([false]);
    expect(tenure.isHeld()).toBe(true);
    expect(has('b')).toBe(false);
  });

  test('lets go of a batch at once when a write about it is refused, and of those that a renewal tells of', async () => {
    store.notOwner('b');
    expect(has('b')).toBe(false);
    dispatch.context.batches.takeUp(recordOf('c', { pending: 10 }));
    store.renewal = { known: true, lost: ['c'] };
    await hand.pass(LEASE_MS);
    expect(has('c')).toBe(false);
  });

  test('ends when another process has taken over its name', async () => {
    store.renewal = { known: false, lost: [] };
    store.notOwner(undefined);
    await hand.pass(0);
    expect(losses).toBe(1);
  });

  test('adopts within two seconds what has no owner, all of it, and tells who else lives', async () => {
    tenure.open();
    await hand.pass(LONG_MS);
    store.orphans = Array.from({ length: 50 }, (_, i) => orphan(`o${i}`));
    await hand.pass(LONG_MS);
    expect(has('o0') && has('o49')).toBe(true);
    expect(neighbours).toEqual(['ann']);
  });

  test('leaves others the time to renew when the store was away from all of them', async () => {
    tenure.open();
    store.isAway = true;
    await hand.pass(2 * LEASE_MS);
    store.orphans = [orphan('o')];
    store.isAway = false;
    await hand.pass(1_000);
    expect(tenure.isHeld()).toBe(true);
    expect(has('o')).toBe(false);
    await hand.pass(2 * LONG_MS);
    expect(has('o')).toBe(true);
  });

  test('does what others ask for, and adopts nothing while the server stops', async () => {
    tenure.open();
    await hand.pass(LONG_MS);
    tenure.close();
    store.orphans = [orphan('o')];
    store.inbox = [{ id: 'r', batch: 'b', body: {} }];
    await hand.pass(LONG_MS);
    expect(served).toEqual(['r']);
    expect(has('o')).toBe(false);
    await tenure.release();
    expect(store.asked.at(-1)).toBe('release');
    const asked = store.asked.length;
    await hand.pass(LEASE_MS);
    expect(store.asked).toHaveLength(asked);
  });
});

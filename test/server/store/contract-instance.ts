import { describe, expect, it } from 'vitest';
import type { Subject } from './fixture.ts';

export function instanceContract(subject: Subject): void {
  describe('the run of a server', () => {
    it('is remembered over a restart: its epoch, where it was and when it was last alive', async () => {
      const { store } = subject;
      expect(await store.lastInstance()).toBeUndefined();
      expect(await store.beginInstance('host-a', 1_000)).toBe(1);
      await store.touchInstance(2_500.5);
      const place = store.place();
      const again = await subject.reopen();
      expect(await again.lastInstance()).toEqual({ epoch: 1, host: 'host-a', place, aliveAt: 2_500.5 });
      expect(again.place()).toEqual(place);
      expect(await again.beginInstance(undefined, 3_000)).toBe(2);
      expect(await again.lastInstance()).toEqual({ epoch: 2, host: undefined, place, aliveAt: 3_000 });
    });

    it('cannot be touched while the storage fails', async () => {
      const { store, fixture } = subject;
      await store.beginInstance('host-a', 1_000);
      await fixture.failing(store, async () => {
        await expect(store.touchInstance(2_000)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      });
      await store.touchInstance(3_000);
      expect(await store.lastInstance()).toMatchObject({ aliveAt: 3_000 });
    });
  });
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressSet } from '../../../server/batches/address-set.ts';

describe('a set of addresses', () => {
  it('tells what is new exactly as a Set does', () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[ab]{0,3}@c$/));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 200 }), (texts) => {
        const [set, model] = [new AddressSet(), new Set<string>()];
        for (const one of texts) {
          expect(set.add(one)).toBe(!model.has(one));
          model.add(one);
          expect(set.size).toBe(model.size);
        }
      }),
    );
  });

  it('holds a million, each once, while it grows', () => {
    const set = new AddressSet();
    const count = 1_000_000;
    let added = 0;
    for (let i = 0; i < count; i++) if (set.add(`user-${i}@example.net`)) added++;
    expect(added).toBe(count);
    for (let i = 0; i < count; i += 7) if (set.add(`user-${i}@example.net`)) added++;
    expect(added).toBe(count);
    expect(set.size).toBe(count);
  });

  it('tells similar addresses apart', () => {
    const set = new AddressSet();
    const similar = ['', 'a', 'aa', 'ab', 'ba', 'a\0', '\0a', '\0', 'é', 'e\u0301'];
    expect(similar.map((text) => set.add(text))).toEqual(similar.map(() => true));
  });
});

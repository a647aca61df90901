import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../mail/index.ts';

const LARGE = 100 * 1024;

const letters = (length: number, letter: number): Uint8Array => new Uint8Array(length).fill(letter);

function taken(writer: ByteWriter, length: number, letter: number): Buffer {
  writer.bytes(letters(length, letter));
  return writer.take();
}

describe('bytes in the making', () => {
  it('do not change once they are taken, whatever is given back', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 20_000, max: 400_000 }));
    const step = fc.record({ size, giveBack: fc.boolean(), after: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const writer = new ByteWriter();
        const held: { bytes: Buffer; letter: number; size: number; leavesAt: number }[] = [];
        steps.forEach(({ size, giveBack, after }, index) => {
          const letter = 1 + (index % 250);
          const leavesAt = giveBack ? index + after : Number.POSITIVE_INFINITY;
          held.push({ bytes: taken(writer, size, letter), letter, size, leavesAt });
          for (const one of held.filter(({ leavesAt }) => leavesAt <= index)) {
            held.splice(held.indexOf(one), 1);
            writer.giveBack(one.bytes);
          }
          for (const one of held) expect(one.bytes.equals(letters(one.size, one.letter))).toBe(true);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('use memory again that was given back', () => {
    const writer = new ByteWriter();
    taken(writer, LARGE, 1);
    const first = taken(writer, LARGE, 2);
    writer.giveBack(first);
    expect(taken(writer, LARGE, 3).buffer).toBe(first.buffer);
  });

  it('leave memory alone that is given back twice, or that others share', () => {
    const writer = new ByteWriter();
    taken(writer, LARGE, 1);
    const first = taken(writer, LARGE, 2);
    writer.giveBack(first);
    writer.giveBack(first);
    expect(taken(writer, LARGE, 3).buffer).not.toBe(taken(writer, LARGE, 4).buffer);

    const small = [taken(writer, 2_000, 5), taken(writer, 2_000, 6)];
    for (const one of small) writer.giveBack(one);
    taken(writer, LARGE, 7);
    expect(small[0]?.every((byte) => byte === 5)).toBe(true);
    expect(small[1]?.every((byte) => byte === 6)).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import {
  conversationOf,
  MESSAGES,
  type Parsed,
  parseForWorker,
  parseFromClient,
  parseFromPeer,
  parseFromWorker,
} from '../../protocol/index.ts';

type Keys = Readonly<Record<string, unknown>>;

/** Adds keys that nobody knows, on every level. */
function withUnknownKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withUnknownKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withUnknownKeys(inner)] as const);
  return { ...Object.fromEntries(entries), FROM_THE_FUTURE: { x: [1] } };
}

const parsers: Readonly<Record<string, (keys: Keys) => Parsed<unknown>>> = {
  'worker in': parseFromWorker,
  'worker out': parseForWorker,
  'client in': parseFromClient,
  'peer both': parseFromPeer,
  'any out': parseForWorker,
};

describe('the catalogue of messages', () => {
  it('names each message once', () => {
    const ids = MESSAGES.map((message) => message.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  for (const { id, schema, example, conversation, direction } of MESSAGES) {
    describe(id, () => {
      it('has a valid example, which nothing is missing from once it is parsed', () => {
        expect(schema.parse(example)).toEqual(example);
      });

      it('is understood with keys that nobody knows yet', () => {
        expect(schema.safeParse(withUnknownKeys(example)).success).toBe(true);
      });

      const parse = parsers[`${conversation} ${direction}`];
      if (parse === undefined) return;
      it('is told from the others by the codec', () => {
        expect(parse(example as Keys)).toEqual({ ok: true, message: example });
      });

      if (direction === 'out') return;
      it('opens its conversation', () => {
        if (id === 'worker-report') expect(conversationOf(example as Keys)).toBe('worker');
        else expect(conversationOf(example as Keys)).toBe(conversation);
      });
    });
  }
});

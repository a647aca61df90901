import { expect, test } from 'vitest';
import type { CompiledMessage } from '../../../worker/tasks/contract.ts';
import { MessageCache } from '../../../worker/tasks/message-cache.ts';

const LETTER = { MESSAGE: { FROM: 'a@example.org', SUBJECT: 's', TEXT: 't' }, DATE: '' };

test('a batch is composed once while it is in use, and the oldest ones are forgotten', async () => {
  let compositions = 0;
  const cache = new MessageCache(async () => {
    compositions++;
    return {} as CompiledMessage;
  });
  await cache.get('a', LETTER);
  await cache.get('a', LETTER);
  expect(compositions).toBe(1);
  for (let i = 0; i < 7; i++) await cache.get(`b${i}`, LETTER);
  await cache.get('a', LETTER);
  expect(compositions).toBe(8);
  await cache.get('c', LETTER);
  await cache.get('b0', LETTER);
  expect(compositions).toBe(10);
});

test('a failure is not remembered', async () => {
  let fails = true;
  const cache = new MessageCache(async () => {
    if (fails) throw new Error('not now');
    return {} as CompiledMessage;
  });
  await expect(cache.get('a', LETTER)).rejects.toThrow('not now');
  fails = false;
  await cache.get('a', LETTER);
});

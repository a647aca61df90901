import { expect, test } from 'vitest';
import type { CompiledMessage } from '../../../worker/tasks/contract.ts';
import { MessageCache } from '../../../worker/tasks/message-cache.ts';

const MESSAGE = { FROM: 'a@example.org', SUBJECT: 's', TEXT: 't' };

test('a batch is composed once while it is in use, and the oldest ones are forgotten', async () => {
  let compositions = 0;
  const cache = new MessageCache(async () => {
    compositions++;
    return {} as CompiledMessage;
  });
  await cache.get('a', MESSAGE, '');
  await cache.get('a', MESSAGE, '');
  expect(compositions).toBe(1);
  for (let i = 0; i < 7; i++) await cache.get(`b${i}`, MESSAGE, '');
  await cache.get('a', MESSAGE, '');
  expect(compositions).toBe(8);
  await cache.get('c', MESSAGE, '');
  await cache.get('b0', MESSAGE, '');
  expect(compositions).toBe(10);
});

test('a failure is not remembered', async () => {
  let fails = true;
  const cache = new MessageCache(async () => {
    if (fails) throw new Error('not now');
    return {} as CompiledMessage;
  });
  await expect(cache.get('a', MESSAGE, '')).rejects.toThrow('not now');
  fails = false;
  await cache.get('a', MESSAGE, '');
});

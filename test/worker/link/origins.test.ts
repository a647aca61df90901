import { expect, test } from 'vitest';
import { Origins } from '../../../worker/link/origins.ts';

test('a server that says nothing of its store is known by its address', () => {
  expect(new Origins().of('ws://a:1')).toBe('ws://a:1');
});

test('servers that share a store are one, whoever of them said so', () => {
  const origins = new Origins();
  origins.share('s', ['ws://b:1', 'ws://a:1']);
  expect(origins.of('ws://b:1')).toBe(origins.of('ws://a:1'));
  expect(origins.of('ws://c:1')).not.toBe(origins.of('ws://a:1'));
  origins.share('s', ['ws://c:1']);
  expect(origins.of('ws://c:1')).toBe(origins.of('ws://a:1'));
});

test('a server that has moved to another store is of that one', () => {
  const origins = new Origins();
  origins.share('s', ['ws://a:1', 'ws://b:1']);
  origins.share('t', ['ws://b:1']);
  expect(origins.of('ws://b:1')).not.toBe(origins.of('ws://a:1'));
});

test('what is remembered is bounded, and the newest is kept', () => {
  const origins = new Origins();
  for (let i = 0; i < 2_000; i++) origins.share('s', [`ws://h${i}:1`]);
  expect(origins.of('ws://h0:1')).toBe('ws://h0:1');
  expect(origins.of('ws://h1999:1')).toBe(origins.of('ws://h1998:1'));
});

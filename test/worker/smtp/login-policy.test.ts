import { expect, test } from 'vitest';
import { isLoopback, refusesLogin } from '../../../worker/smtp/login-policy.ts';

const RELAY = { NAME: 'r', HOST: 'mail.example.org', PORT: 25, SECURE: false, USER: 'u', PASS: 'p' };

test('a password goes over an unencrypted link only to this machine, or when it is allowed explicitly', () => {
  expect(refusesLogin(RELAY, false)).toMatch(/unencrypted/);
  expect(refusesLogin(RELAY, true)).toBeUndefined();
  expect(refusesLogin({ ...RELAY, CLEAR_AUTH: true }, false)).toBeUndefined();
  expect(refusesLogin({ ...RELAY, HOST: '127.0.0.1' }, false)).toBeUndefined();
});

test('only loopback is loopback', () => {
  for (const host of ['localhost', 'LOCALHOST.', '127.3.2.1', '::1', 'a.localhost'])
    expect(isLoopback(host)).toBe(true);
  for (const host of ['127.example.org', '10.0.0.1', 'localhost.example.org', '128.0.0.1', '::2']) {
    expect(isLoopback(host)).toBe(false);
  }
});

import { expect, test } from 'vitest';
import { CannotConnectError, serverUrl } from '../../client/index.ts';

test.each([
  ['ws://127.0.0.1:8765', 'ws://127.0.0.1:8765'],
  ['ws://127.0.0.1:8765/', 'ws://127.0.0.1:8765'],
  ['wss://mail.example.org', 'wss://mail.example.org'],
  ['http://localhost:9000', 'ws://localhost:9000'],
  ['https://mail.example.org/mesh', 'wss://mail.example.org/mesh'],
  ['localhost', 'ws://localhost:8765'],
  ['localhost:9000', 'ws://localhost:9000'],
  ['[::1]:9000', 'ws://[::1]:9000'],
])('%s is read as %s', (written, url) => {
  expect(serverUrl(written)).toBe(url);
});

test.each(['', 'ftp://x', 'ws://', 'not a host', 'ws://user:pass@host:1'])('%j is refused', (written) => {
  expect(() => serverUrl(written)).toThrow(CannotConnectError);
});

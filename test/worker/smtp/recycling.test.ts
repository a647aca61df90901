import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { openSession } from '../../../worker/smtp/open-session.ts';
import { DEFAULT_TIMES } from '../../../worker/smtp/times.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A relay that takes every envelope; `reads`: and reads the mail to its end before it says 250 to it, instead of its beginning only. */
async function relay(reads: boolean): Promise<number> {
  const server = createServer((socket) => {
    closers.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.write('220 here\r\n');
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      if (/^EHLO/.test(text)) socket.write('250-here\r\n250 PIPELINING\r\n');
      else if (/^MAIL/.test(text)) {
        socket.write('250 ok\r\n250 ok\r\n354 go on\r\n');
      } else if (!reads) {
        socket.pause();
        socket.write('250 taken\r\n');
      } else if (text.endsWith('\r\n.\r\n')) socket.write('250 taken\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Sends one mail, and tells whether its bytes may be written over when it is accepted. */
async function isFree(port: number, bytes: number): Promise<{ reply?: string; free: boolean }> {
  const at = { NAME: 'r', HOST: '127.0.0.1', PORT: port, SECURE: false };
  const session = await openSession(at, { times: DEFAULT_TIMES }, new AbortController().signal);
  closers.push(() => session.abort('the test is over'));
  const body = Buffer.from(`${'x'.repeat(62)}\r\n`.repeat(bytes / 64));
  return new Promise((resolve) =>
    session.send({ from: 'a@b.org', to: 'c@d.org' }, body, (fact) =>
      resolve({ reply: fact?.reply, free: session.isFlushed }),
    ),
  );
}

it('the bytes of a mail are free when the relay has read them and answers', async () => {
  expect(await isFree(await relay(true), 48 * 1024)).toEqual({ reply: '250 taken', free: true });
});

it('the bytes of a mail are not free while the connection holds them, though the relay has answered', async () => {
  const { free } = await isFree(await relay(false), 32 * 1024 * 1024);
  expect(free).toBe(false);
});

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { mboxEntry } from '../../sink/mbox.ts';
import { startSink } from '../../sink/sink.ts';
import { greetedClient, sinkFor, transaction } from './support.ts';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutirao-sink-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

it('writes an entry in mboxrd form with its envelope', () => {
  const entry = mboxEntry(
    {
      from: 'ana@x',
      to: ['bob@x', 'eve@x'],
      messageId: '',
      size: 0,
      content: Buffer.from('Subject: a\r\n\r\nFrom here\r\n>From there\r\nNot From\r\n'),
      secure: false,
      user: undefined,
    },
    new Date('2026-03-01T12:00:00Z'),
  );
  expect(entry.toString()).toBe(
    'From ana@x Sun Mar  1 12:00:00 2026\nX-Envelope-From: <ana@x>\nX-Envelope-To: <bob@x>\n' +
      'X-Envelope-To: <eve@x>\nSubject: a\n\n>From here\n>>From there\nNot From\n\n',
  );
});

it('appends every message that was accepted to the file', async () => {
  const mbox = join(temporaryFolder(), 'mail.mbox');
  for (const recipient of ['ana@x', 'bob@x']) {
    const sink = await startSink({ port: 0, mbox });
    const client = await greetedClient(sink);
    client.write(`${transaction(recipient)}QUIT\r\n`);
    await client.untilClosed();
    await sink.stop();
  }
  const text = readFileSync(mbox, 'latin1');
  expect(text.match(/^From sender@example\.org /gm)).toHaveLength(2);
  expect(text).toContain('X-Envelope-To: <ana@x>\nMessage-ID: <ana@x>\n');
  expect(text).toContain('X-Envelope-To: <bob@x>\nMessage-ID: <bob@x>\n');
});

it('refuses to start with a file that cannot be opened', async () => {
  const mbox = join(temporaryFolder(), 'no-such-folder', 'mail.mbox');
  await expect(startSink({ port: 0, mbox })).rejects.toMatchObject({ code: 'SINK_FILE' });
});

it('answers 452 once the file can no longer be written', async () => {
  const sink = await sinkFor({ mbox: '/dev/full' });
  const client = await greetedClient(sink);
  client.write(transaction('ana@x'));
  await client.untilCodes(6);
  await expect.poll(() => sink.storageError).toBeDefined();
  client.write(transaction('bob@x'));
  const codes = await client.untilCodes(10);
  expect(codes.at(-1)).toBe(452);
});

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readRecord } from '../../sink/record.ts';
import { startSink } from '../../sink/sink.ts';
import { greetedClient, sinkFor, transaction } from './support.ts';

function recordFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutirao-sink-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'record.jsonl');
}

const recipients = (path: string): string[] =>
  [...readRecord(readFileSync(path, 'utf8'))].map(({ recipient }) => recipient);

it('has an accepted message in its record before the reply, and also when the reply never comes', async () => {
  const record = recordFile();
  const sink = await sinkFor({ record });
  const client = await greetedClient(sink);
  client.write(transaction('drop-after-dot-ana@x'));
  await client.untilClosed();
  expect([...readRecord(readFileSync(record, 'utf8'))]).toEqual([
    { messageId: '<drop-after-dot-ana@x>', recipient: 'drop-after-dot-ana@x', at: expect.any(Number) },
  ]);
});

it('goes on with the record of the sink before, also behind a line that was torn', async () => {
  const record = recordFile();
  for (const recipient of ['ana@x', 'bob@x']) {
    const sink = await startSink({ port: 0, record });
    const client = await greetedClient(sink);
    client.write(`${transaction(recipient)}QUIT\r\n`);
    await client.untilClosed();
    await sink.stop();
    appendFileSync(record, '{"messageId":"<torn');
  }
  expect(recipients(record)).toEqual(['ana@x', 'bob@x']);
});

it('does not record what it refused', async () => {
  const record = recordFile();
  const sink = await sinkFor({ record });
  const client = await greetedClient(sink);
  client.write(`${transaction('dot452-ana@x')}${transaction('bob@x')}QUIT\r\n`);
  await client.untilClosed();
  expect(recipients(record)).toEqual(['bob@x']);
});

it('refuses with 452 what it cannot record', async () => {
  const sink = await sinkFor({ record: '/dev/full' });
  const client = await greetedClient(sink);
  client.write(`${transaction('ana@x')}QUIT\r\n`);
  await client.untilClosed();
  expect(client.codes).toContain(452);
  expect(sink.report().messages).toBe(0);
  expect(String(sink.storageError)).toContain('ENOSPC');
});

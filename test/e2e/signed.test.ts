import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { expect, test } from 'vitest';
import { Town } from './support/town.ts';

/** What a sender publishes under SELECTOR._domainkey.DOMAIN (RFC 6376 §3.6.1, RFC 8463 §4). */
function published(type: 'rsa' | 'ed25519'): { pem: string; record: string } {
  if (type === 'rsa') {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const der = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    return {
      pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      record: `v=DKIM1; k=rsa; p=${der}`,
    };
  }
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  // the last 32 bytes of the SPKI are the key itself
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
  return {
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    record: `v=DKIM1; k=ed25519; p=${raw}`,
  };
}

test.for(['rsa', 'ed25519'] as const)(
  'mail of a domain with an %s key arrives with a signature that others accept',
  { timeout: 60_000 },
  async (type) => {
    const town = await Town.raise();
    const { pem, record } = published(type);
    const keyFile = join(town.folder, 'dkim.pem');
    writeFileSync(keyFile, pem, { mode: 0o600 });
    const sink = await town.sink({ keepMessages: true });
    const server = await town.server({ args: ['--dkim', `example.org:spring:${keyFile}`] });
    await town.worker(server);
    const letter = {
      from: 'Câmara <news@lists.example.org>',
      subject: 'Olá {{name}}',
      text: '.Dear {{name}},\n\nthe well is open again — and  deep.\n\n\n',
      html: '<p>Dear {{name}}</p>',
      headers: { 'List-Id': '<news.lists.example.org>' },
    };
    const batch = await town.submit(server, 20, letter);
    expect((await town.finished(batch)).counts.sent).toBe(20);

    const resolver = async (name: string, rr: string): Promise<string[][]> => {
      expect([name, rr]).toEqual(['spring._domainkey.example.org', 'TXT']);
      return [[record]];
    };
    expect(sink.messages).toHaveLength(20);
    for (const { content } of sink.messages) {
      const { results } = await dkimVerify(content, { resolver });
      expect(
        results.map(({ status, signingDomain, selector }) => [status.result, signingDomain, selector]),
      ).toEqual([['pass', 'example.org', 'spring']]);
      const altered = Buffer.from(content.toString('latin1').replace('the well', 'the hell'), 'latin1');
      expect((await dkimVerify(altered, { resolver })).results[0]?.status.result).toBe('neutral');
    }
  },
);

test('a server whose DKIM key cannot be read does not start, and says so', async () => {
  const town = await Town.raise();
  const missing = join(town.folder, 'missing.pem');
  const server = town.run('server', 'server/main.ts', [
    '--port',
    '0',
    '--data',
    town.folder,
    '--dkim',
    `example.org:spring:${missing}`,
  ]);
  expect(await server.ended()).toBe(1);
  expect(server.said.join('\n')).toMatch(/--dkim example\.org:spring:.*missing\.pem.*ENOENT/);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor, HIDDEN, maskAddresses, maskUrl } from '../../logging/redact.ts';

const redact = (record: unknown, secrets: string[] = []): Record<string, unknown> =>
  JSON.parse(createRedactor(secrets)(`${JSON.stringify(record)}\n`));

describe('maskUrl', () => {
  it.each([
    ['smtp://ana:s3cret@mail.example.org:25', 'smtp://ana:***@mail.example.org:25'],
    ['smtps://ana:p@ss:word@mail.example.org', 'smtps://ana:***@mail.example.org'],
    ['ws://token@127.0.0.1:8765/x', 'ws://***@127.0.0.1:8765/x'],
    ['two: smtp://a:b@c and smtp://d:e@f.', 'two: smtp://a:***@c and smtp://d:***@f.'],
    ['https://example.org/path?to=a@b', 'https://example.org/path?to=a@b'],
    ['ws://127.0.0.1:8765', 'ws://127.0.0.1:8765'],
  ])('makes %s %s', (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
  });
});

describe('maskAddresses', () => {
  it.each([
    ['550 <ana@example.org>: unknown', '550 <***@example.org>: unknown'],
    ['"ana maria"@example.org', '***@example.org'],
    ["o'brien+x@[192.0.2.1]", '***@[192.0.2.1]'],
    ['josé@münchen.example', '***@münchen.example'],
    ['smtp://user:***@mail.example.org', 'smtp://user:***@mail.example.org'],
    ['node_modules/@hono/node-server', 'node_modules/@hono/node-server'],
  ])('makes %s %s', (text, masked) => {
    expect(maskAddresses(text)).toBe(masked);
  });
});

describe('a record on its way out', () => {
  it.each([
    'token',
    'TOKEN',
    'tokenWorker',
    'token-mesh',
    'PASS',
    'password',
    'USER',
    'TICKET',
    'authorization',
    'Proxy-Authorization',
    'clientSecret',
    'PRIVATE_KEY',
  ])('never holds what stands under %s, at any depth and level', (key) => {
    for (const level of ['trace', 'info', 'fatal']) {
      const line = JSON.stringify(redact({ level, [key]: 'canary', a: [{ b: { [key]: { c: 'canary' } } }] }));
      expect(line).not.toContain('canary');
      expect(line).toContain(HIDDEN);
    }
  });

  it('keeps counters that are named like secrets', () => {
    expect(redact({ level: 'info', tickets: 3, tokenWorker: true })).toEqual({
      level: 'info',
      tickets: 3,
      tokenWorker: true,
    });
  });

  it('holds addresses and content at trace only', () => {
    const record = { address: 'ana@example.org', MESSAGE: { SUBJECT: 's', TEXT: 't', HTML: 'h' } };
    expect(redact({ level: 'trace', ...record })).toEqual({ level: 'trace', ...record });
    expect(redact({ level: 'debug', ...record })).toEqual({
      level: 'debug',
      address: '***@example.org',
      MESSAGE: { SUBJECT: HIDDEN, TEXT: HIDDEN, HTML: HIDDEN },
    });
  });

  it('is left as it is when it holds nothing of that kind', () => {
    const line = '{"level":"info","part":"mesh","msg":"peer is alive","workers":3}\n';
    expect(createRedactor(['s3cret'])(line)).toBe(line);
  });

  it('never holds a secret value that the program was started with, whatever characters it has', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, maxLength: 30 }), fc.string(), (secret, around) => {
        fc.pre(!HIDDEN.includes(secret) && !around.includes(secret));
        const cleaned = redact({ level: 'info', msg: around + secret, deep: [{ x: secret }] }, [secret]);
        expect(cleaned.msg).not.toContain(secret);
        expect(cleaned.deep).toEqual([{ x: HIDDEN }]);
      }),
    );
  });
});

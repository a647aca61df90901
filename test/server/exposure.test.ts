import { describe, expect, it } from 'vitest';
import { ServerError } from '../../server/errors.ts';
import { checkExposure, isLoopback } from '../../server/exposure.ts';

const settings = (changes: Partial<Parameters<typeof checkExposure>[0]>) => ({
  host: '0.0.0.0',
  insecure: false,
  tokenWorker: undefined,
  tokenClient: undefined,
  tokenMesh: undefined,
  ...changes,
});
const TOKENS = { tokenWorker: 'w'.repeat(8), tokenClient: 'c'.repeat(8), tokenMesh: 'm'.repeat(8) };

describe('loopback', () => {
  it('is what only this machine reaches', () => {
    for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1', '::ffff:127.0.0.1'])
      expect(isLoopback(host)).toBe(true);
    for (const host of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '127.0.0.1.example',
      'example.org',
      '',
      '::ffff:10.0.0.1',
    ])
      expect(isLoopback(host)).toBe(false);
  });
});

describe('listening beyond loopback', () => {
  it('is refused without tokens, and the error names those that are missing', () => {
    expect(() => checkExposure(settings({}))).toThrow(ServerError);
    expect(() => checkExposure(settings({ tokenClient: 'c'.repeat(8) }))).toThrow(
      /--token-worker, --token-mesh/,
    );
  });

  it('is allowed with all three, or when asked for explicitly', () => {
    expect(() => checkExposure(settings(TOKENS))).not.toThrow();
    expect(() => checkExposure(settings({ insecure: true }))).not.toThrow();
    expect(() => checkExposure(settings({ host: '127.0.0.1' }))).not.toThrow();
  });
});

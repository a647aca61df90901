import { describe, expect, it } from 'vitest';
import { compileMessage } from '../../../mail/index.ts';
import { fill, letterOf, readersOf } from '../../../scripts/bench/letter.ts';

describe('the letter of the benchmark', () => {
  it.each([[2_048], [10_240], [102_400]])('composes to about %i bytes', (bytes) => {
    const message = compileMessage(letterOf(bytes));
    const [reader] = [...readersOf(1)];
    const mail = message.render({
      address: reader?.address ?? '',
      variables: { ...reader },
      messageId: '<0190d7f8-1234-7abc-8def-0123456789ab.12345@bench.example.org>',
      date: new Date(0),
    });
    expect(mail.bytes.length / bytes).toBeGreaterThan(0.93);
    expect(mail.bytes.length / bytes).toBeLessThan(1.07);
  });

  it('has two variables in subject, text and html each, and no others', () => {
    const { subject, text, html } = letterOf(2_048);
    for (const part of [subject, text, html]) expect(part.match(/\{\{\w+\}\}/g)).toHaveLength(2);
    expect([...compileMessage(letterOf(2_048)).required].sort()).toEqual(['city', 'code', 'first']);
  });

  it('differs for every recipient, also when filled by plain replacement', () => {
    const { text } = letterOf(2_048);
    const filled = [...readersOf(100)].map((reader) => fill(text, reader));
    expect(new Set(filled).size).toBe(100);
    expect(filled.join('')).not.toContain('{{');
  });

  it('goes to each address once', () => {
    const addresses = [...readersOf(1_000)].map(({ address }) => address);
    expect(new Set(addresses).size).toBe(1_000);
  });
});

import { describe, expect, test } from 'vitest';
import { Patience } from '../../../worker/smtp/patience.ts';
import type { Progress } from '../../../worker/smtp/stage.ts';

const LIMITS = { envelopeMs: 10, bodyMs: 20, dotMs: 30, transactionMs: 50 };
const busyWith = (waitsIn: Progress): { waitsIn: Progress } => ({ waitsIn });

describe('patience', () => {
  test('waits for nobody when nothing is awaited', () => {
    const patience = new Patience(LIMITS);
    expect(patience.exceeded(1e9)).toBeUndefined();
    patience.waitsFor(busyWith('envelope'), 0);
    patience.waitsFor(undefined, 5);
    expect(patience.exceeded(1e9)).toBeUndefined();
  });

  test.each([
    ['envelope', 10],
    ['body', 20],
    ['dot', 30],
  ] as const)('has a limit for the %s', (phase, limit) => {
    const patience = new Patience(LIMITS);
    patience.waitsFor(busyWith(phase), 100);
    expect(patience.exceeded(100 + limit - 1)).toBeUndefined();
    expect(patience.exceeded(100 + limit)).toBe(limit);
  });

  test('begins anew with every phase, not with every reply, and ends with the transaction', () => {
    const patience = new Patience(LIMITS);
    const transaction = busyWith('envelope');
    patience.waitsFor(transaction, 0);
    patience.waitsFor(transaction, 9);
    expect(patience.exceeded(10)).toBe(10);
    transaction.waitsIn = 'body';
    patience.waitsFor(transaction, 9);
    transaction.waitsIn = 'dot';
    patience.waitsFor(transaction, 28);
    expect(patience.exceeded(49)).toBeUndefined();
    expect(patience.exceeded(50)).toBe(50);
  });

  test('begins for the next one when the one before has ended', () => {
    const patience = new Patience(LIMITS);
    patience.waitsFor(busyWith('dot'), 0);
    patience.waitsFor(busyWith('envelope'), 29);
    expect(patience.exceeded(38)).toBeUndefined();
    expect(patience.exceeded(39)).toBe(10);
  });
});

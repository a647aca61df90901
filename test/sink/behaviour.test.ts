import { describe, expect, it } from 'vitest';
import { type BehaviourMemory, behaviourFor, RULES } from '../../sink/behaviour.ts';

const fresh: BehaviourMemory = { timesMisbehaved: () => 0, greylistTimes: 2 };
const seen = (times: number): BehaviourMemory => ({ timesMisbehaved: () => times, greylistTimes: 2 });

describe('what an address asks for', () => {
  it.each([
    'ana@example.org',
    '4x-ana@example.org',
    '4xxana@example.org',
    '4xx@example.org',
    'dropbox@example.org',
    'slowly-ana@example.org',
    '350-ana@example.org',
    '2026-ana@example.org',
    '45-ana@example.org',
    'dot-ana@example.org',
    'dotty@example.org',
    'ana-4xx-@example.org',
    'onceupon-a-time@example.org',
    '',
  ])('leaves %s alone', (address) => {
    expect(behaviourFor(address, fresh)).toBeUndefined();
  });

  it.each([
    ['4xx-1@x', 'rcpt', 451, '451 4.3.0'],
    ['5xx-1@x', 'rcpt', 550, '550 5.1.1'],
    ['421-1@x', 'rcpt', 421, '421 4.3.2'],
    ['450-1@x', 'rcpt', 450, '450 4.2.1'],
    ['452-1@x', 'rcpt', 452, '452 4.2.2'],
    ['552-1@x', 'rcpt', 552, '552 5.2.2'],
    ['554-1@x', 'rcpt', 554, '554 5.0.0'],
    ['599-1@x', 'rcpt', 599, '599 5.0.0'],
    ['251-1@x', 'rcpt', 251, '251 2.1.5'],
    ['policy-1@x', 'rcpt', 550, '550 5.7.1'],
    ['disagree-1@x', 'rcpt', 550, '550 4.2.0'],
    ['greylist-1@x', 'rcpt', 451, '451 4.7.1'],
    ['dot452-1@x', 'dot', 452, '452 4.2.2'],
    ['dot-554-1@x', 'dot', 554, '554 5.0.0'],
    ['dot4xx-1@x', 'dot', 451, '451 4.3.0'],
    ['dot5xx-1@x', 'dot', 554, '554 5.0.0'],
    ['4XX-Ana@x', 'rcpt', 451, '451 4.3.0'],
    ['POLICY-Ana@x', 'rcpt', 550, '550 5.7.1'],
  ] as const)('answers %s at %s with %i', (address, at, code, begins) => {
    const behaviour = behaviourFor(address, fresh);
    expect(behaviour).toMatchObject({ at, does: 'reply', code });
    expect(behaviour?.does === 'reply' && behaviour.reply.startsWith(`${begins} `)).toBe(true);
  });

  it.each([
    ['drop-before-dot-1@x', { at: 'body', does: 'drop' }],
    ['drop-after-dot-1@x', { at: 'dot', does: 'drop' }],
    ['slow-1@x', { at: 'dot', does: 'slow' }],
    ['hang-1@x', { at: 'dot', does: 'hang' }],
    ['garbage-1@x', { at: 'rcpt', does: 'garbage' }],
  ])('makes %s misbehave', (address, behaviour) => {
    expect(behaviourFor(address, fresh)).toMatchObject(behaviour);
  });

  it.each([
    ...RULES.flatMap(({ prefix }) => [`${prefix}once-1@x`, `${prefix}-once-1@x`]),
    '421once-1@x',
    'dot452-once-1@x',
    'dot-452once-1@x',
  ])('lets %s misbehave once', (address) => {
    expect(behaviourFor(address, seen(0))).toBeDefined();
    expect(behaviourFor(address, seen(1))).toBeUndefined();
  });

  it('greylists as often as it is told', () => {
    expect(behaviourFor('greylist-1@x', seen(1))).toBeDefined();
    expect(behaviourFor('greylist-1@x', seen(2))).toBeUndefined();
  });

  it('never tires of the others', () => {
    expect(behaviourFor('4xx-1@x', seen(1_000_000))).toBeDefined();
  });
});

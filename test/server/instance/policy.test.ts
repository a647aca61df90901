import { describe, expect, it } from 'vitest';
import { doubtAbout, type StartFacts } from '../../../server/instance/policy.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-06-01T12:00:00Z');

const FACTS: StartFacts = {
  last: { epoch: 7, place: { id: '11-22', path: '/data/mutirao.db' }, host: 'a', aliveAt: NOW - HOUR },
  witness: { epoch: 7, aliveAt: NOW - HOUR },
  place: { id: '11-22', path: '/data/mutirao.db' },
  host: 'a',
  now: NOW,
  acceptCopy: false,
  staleAfterMs: 24 * HOUR,
};
const last = FACTS.last as NonNullable<StartFacts['last']>;

const doubt = (facts: Partial<StartFacts>) => doubtAbout({ ...FACTS, ...facts });

describe('whether the batches of a store should go on by themselves', () => {
  it('is no question for a new store, and for one that is where it was', () => {
    expect(doubt({ last: undefined })).toBeUndefined();
    expect(doubt({})).toBeUndefined();
    expect(doubt({ witness: undefined })).toBeUndefined();
  });

  it('is none after a kill between the commit and the note in the folder, or when the folder was moved', () => {
    expect(doubt({ witness: { epoch: 6, aliveAt: NOW } })).toBeUndefined();
    expect(doubt({ witness: { epoch: 7, aliveAt: NOW - 2 * HOUR } })).toBeUndefined();
    expect(doubt({ place: { id: '11-22', path: '/elsewhere/mutirao.db' } })).toBeUndefined();
  });

  it('is asked of another file, with the place where it ran before', () => {
    expect(doubt({ place: { id: '99-22', path: '/copy/mutirao.db' } })).toEqual({
      code: 'COPY',
      text: expect.stringMatching(/^this store is a copy: until 2026-06-01T11:00.*another file, which/),
    });
  });

  it('is asked on another machine, unless one of the two is not known', () => {
    expect(doubt({ host: 'b' })).toMatchObject({
      code: 'COPY',
      text: expect.stringMatching(/on another machine/),
    });
    expect(doubt({ host: undefined })).toBeUndefined();
    expect(doubt({ host: 'b', last: { ...last, host: undefined } })).toBeUndefined();
  });

  it('is asked of a store that is behind what its folder remembers', () => {
    expect(doubt({ witness: { epoch: 8, aliveAt: NOW - 2 * HOUR } })).toMatchObject({ code: 'RESTORED' });
    expect(doubt({ witness: { epoch: 7, aliveAt: NOW - HOUR / 2 } })).toMatchObject({
      code: 'RESTORED',
      text: expect.stringMatching(/last written at 2026-06-01T11:00.* until 2026-06-01T11:30/),
    });
  });

  it('is asked after a long sleep, unless it may sleep as long as it likes', () => {
    const asleep = { ...last, aliveAt: NOW - 25 * HOUR };
    expect(doubt({ last: asleep, witness: undefined })).toMatchObject({
      code: 'STALE',
      text: expect.stringMatching(/asleep for 25 h/),
    });
    expect(doubt({ last: asleep, witness: undefined, staleAfterMs: 0 })).toBeUndefined();
    expect(doubt({ last: { ...last, aliveAt: NOW - 24 * HOUR }, witness: undefined })).toBeUndefined();
    expect(doubt({ last: { ...last, aliveAt: NOW + 9 * HOUR } })).toBeUndefined();
  });

  it('is answered by the operator for a copy, but not for a long sleep', () => {
    const copy = { place: { id: '99', path: '/copy' }, acceptCopy: true };
    expect(doubt(copy)).toBeUndefined();
    expect(doubt({ witness: { epoch: 9, aliveAt: NOW }, acceptCopy: true })).toBeUndefined();
    expect(doubt({ ...copy, last: { ...last, aliveAt: NOW - 48 * HOUR } })).toMatchObject({ code: 'STALE' });
  });
});

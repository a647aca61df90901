import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  conversationOf,
  endpointUrl,
  nackOf,
  type Parsed,
  parseForWorker,
  parseFromClient,
  parseFromPeer,
  parseFromWorker,
  parseObject,
} from '../../protocol/index.ts';

const errorOf = (parsed: Parsed<unknown>) => (parsed.ok ? undefined : parsed.error);

/** Objects with the keys and words of the protocol in all the wrong places. */
const nearMessages = fc.dictionary(
  fc.constantFrom(
    'CLIENT',
    'WORKER',
    'SERVER',
    'TASK',
    'STATUS',
    'RESPONSE',
    'TASK_UUID',
    'REQ',
    'RECIPIENTS',
  ),
  fc.oneof(
    fc.constantFrom(
      'ALIVE',
      'SEND',
      'REQUEST',
      'HEARTBEAT',
      'COMMAND_RELEASE',
      'SUBMIT',
      'COMMIT',
      'OK',
      'NACK',
    ),
    fc.jsonValue(),
  ),
);

describe('reading a frame', () => {
  it('takes an object', () => {
    expect(parseObject('{"A":1}')).toEqual({ ok: true, message: { A: 1 } });
  });

  it('says of a frame that is not JSON that it is not', () => {
    expect(errorOf(parseObject('hello'))?.code).toBe('NOT_JSON');
    expect(errorOf(parseObject(''))?.code).toBe('NOT_JSON');
    expect(errorOf(parseObject('{"A":1'))?.code).toBe('NOT_JSON');
  });

  it('says of JSON that is not an object that it is not', () => {
    for (const text of ['1', 'null', '[]', '"x"', 'true'])
      expect(errorOf(parseObject(text))?.code).toBe('NOT_AN_OBJECT');
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parseObject(text).ok === 'boolean'),
    );
  });
});

describe('reading a message', () => {
  it('never throws, whatever the JSON', () => {
    const anything = fc.oneof(nearMessages, fc.dictionary(fc.string(), fc.jsonValue()));
    fc.assert(
      fc.property(anything, (keys) => {
        conversationOf(keys);
        for (const parse of [parseFromWorker, parseFromPeer, parseFromClient, parseForWorker]) {
          const parsed = parse(keys);
          if (!parsed.ok) expect(parsed.error.message).not.toBe('');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('names the key that is wrong, with its place in a list', () => {
    const rows = [{ ADDRESS: 'a@example.net' }, { ADDRESS: 5 }];
    const error = errorOf(parseFromClient({ CLIENT: 'RECIPIENTS', RECIPIENTS: rows }));
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', field: 'RECIPIENTS.1.ADDRESS' });
    expect(error?.message).toContain('RECIPIENTS.1.ADDRESS');
  });

  it('names CLIENT when the request is not known', () => {
    expect(errorOf(parseFromClient({ CLIENT: 'DANCE' }))).toMatchObject({ field: 'CLIENT' });
  });

  it('does not take a TASK that it does not know for one of a peer or a worker', () => {
    expect(conversationOf({ TASK: 'DANCE' })).toBeUndefined();
    expect(errorOf(parseFromPeer({ TASK: 'DANCE' }))).toMatchObject({
      code: 'UNKNOWN_MESSAGE',
      field: 'TASK',
    });
    expect(errorOf(parseFromWorker({ TASK: 'DANCE' }))?.code).toBe('UNKNOWN_MESSAGE');
  });

  it('tells both dialects of a heartbeat and their answers', () => {
    for (const keys of [
      { SERVER: 'ALIVE', TASK: 'REQUEST' },
      { SERVER: 'ALIVE', TASK: 'RECIEVE' },
      { SERVER: 'ALIVE', TASK: 'RECEIVE' },
      { SERVER_UUID: 's', TASK: 'HEARTBEAT' },
      { TASK: 'HEARTBEAT', RESPONSE: 'ALIVE' },
    ]) {
      expect(conversationOf(keys)).toBe('peer');
      expect(parseFromPeer(keys)).toEqual({ ok: true, message: keys });
    }
  });

  it('refuses ranges that are not sorted or overlap', () => {
    const report = (SENT: unknown) => parseFromWorker({ STATUS: 'OK', TASK: 'SEND', TASK_UUID: 't', SENT });
    expect(
      report([
        [0, 4],
        [6, 6],
      ]).ok,
    ).toBe(true);
    for (const wrong of [
      [[4, 0]],
      [
        [0, 4],
        [4, 5],
      ],
      [
        [6, 6],
        [0, 4],
      ],
      [[-1, 4]],
      [[0.5, 2]],
      [[0]],
      'x',
    ])
      expect(report(wrong).ok).toBe(false);
  });
});

describe('a NACK', () => {
  it('echoes the REQ only where it is a whole number', () => {
    const error = { code: 'X', message: 'x' };
    expect(nackOf(error, 7)).toEqual({ STATUS: 'NACK', REQ: 7, ERROR: { CODE: 'X', MESSAGE: 'x' } });
    for (const req of [undefined, '7', 1.5, {}, null, Number.NaN])
      expect(nackOf(error, req)).not.toHaveProperty('REQ');
  });
});

describe('the URL of an endpoint', () => {
  it('has brackets around an IPv6 address, and wss where it speaks TLS', () => {
    expect(endpointUrl({ IP: '10.0.0.2', PORT: 1 })).toBe('ws://10.0.0.2:1');
    expect(endpointUrl({ IP: '::1', PORT: 2, TLS: true })).toBe('wss://[::1]:2');
  });
});

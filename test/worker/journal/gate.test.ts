import { Duplex } from 'node:stream';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { offersOf } from '../../../worker/smtp/offers.ts';
import { openSession } from '../../../worker/smtp/open-session.ts';
import { PIECE_BYTES, PipelinedSession } from '../../../worker/smtp/pipelined-session.ts';
import { DEFAULT_TIMES } from '../../../worker/smtp/times.ts';
import type { Gate, TransactionFact } from '../../../worker/tasks/contract.ts';
import { Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';

const harness = new Harness();
afterEach(() => harness.clean());

const ENVELOPE = { from: 'news@example.org', to: 'reader@example.net' };
const AT_ONCE: Gate = { ticket: () => 7, admits: () => true, afterWrite: (callback) => callback() };
const MESSAGE = Buffer.from('Subject: Hello\r\n\r\nHello\r\n');

const RELAYS = [
  ['PIPELINING', {}],
  ['CHUNKING', { chunking: true }],
  ['neither', { pipelining: false }],
] as const;

/** A session with a relay of that kind, and how one mail over it ended. */
async function sendThrough(gate: Gate, offers: (typeof RELAYS)[number][1]) {
  const sink = await harness.sink(offers);
  const relay = { NAME: 'sink', HOST: '127.0.0.1', PORT: sink.port, SECURE: false };
  const session = await openSession(relay, { times: DEFAULT_TIMES, gate });
  const ends: (TransactionFact | undefined)[] = [];
  session.send(ENVELOPE, MESSAGE, (fact) => ends.push(fact));
  await until('it has ended', () => ends.length === 1);
  const [end] = ends;
  await session.close();
  return { end, messages: sink.report().messages };
}

test.each(RELAYS)('a mail that is not written down never reaches the relay (%s)', async (_, offers) => {
  const { end, messages } = await sendThrough({ ...AT_ONCE, admits: () => false }, offers);
  expect(messages).toBe(0);
  // Either nothing of it went out, or it ended before its data did.
  expect(end?.phase ?? 'not-sent').toBe('not-sent');
});

test.each(RELAYS)('a mail is asked for with the ticket of when it was begun (%s)', async (_, offers) => {
  let current = 7;
  const shown: number[] = [];
  const gate = {
    ...AT_ONCE,
    ticket: () => current++,
    admits: (ticket: number) => {
      shown.push(ticket);
      return true;
    },
  };
  const { end, messages } = await sendThrough(gate, offers);
  expect({ messages, shown, stage: end?.stage }).toEqual({ messages: 1, shown: [7], stage: 'dot' });
});

describe('mails begun in one turn, to a relay with CHUNKING', () => {
  /** A session over a line that the test speaks on, and a journal that writes when the test says so. */
  function chunked(depth = 4) {
    let line = '';
    let waiting: (() => void)[] = [];
    let isWritable = true;
    const socket = new Duplex({
      read: () => {},
      write: (bytes, _, done) => {
        line += String(bytes);
        done();
      },
    });
    onTestFinished(() => void socket.destroy());
    const gate: Gate = {
      ticket: () => 7,
      admits: () => isWritable,
      afterWrite: (callback) => waiting.push(callback),
    };
    const offers = offersOf(['PIPELINING', 'CHUNKING']);
    const session = new PipelinedSession(socket, offers, { times: DEFAULT_TIMES, depth, gate });
    const ends = new Map<string, TransactionFact | undefined>();
    return {
      session,
      ends,
      send: (to: string, bytes = MESSAGE) =>
        session.send({ ...ENVELOPE, to: `${to}@example.net` }, bytes, (fact) => ends.set(to, fact)),
      says: (text: string) => socket.emit('data', Buffer.from(text)),
      breaks: () => socket.emit('end'),
      /** Local parts, in the order in which they were written to. */
      written: () => [...line.matchAll(/RCPT TO:<(\w+)@/g)].map(([, to]) => to),
      journal: (writable = true) => {
        isWritable = writable;
        const callbacks = waiting;
        waiting = [];
        for (const callback of callbacks) callback();
        return callbacks.length;
      },
    };
  }
  const TAKEN = '250 ok\r\n'.repeat(3);

  test('wait for the journal, and go out together when it has them', () => {
    const { send, written, journal, says, ends } = chunked();
    for (const to of ['one', 'two', 'three']) send(to);
    expect(written()).toEqual([]);
    expect(journal()).toBe(1);
    expect(written()).toEqual(['one', 'two', 'three']);
    // Each further one brings its RSET.
    says(`${TAKEN}250 ok\r\n${TAKEN}250 ok\r\n${TAKEN}`);
    expect([...ends.values()].map((fact) => fact?.phase)).toEqual(['replied', 'replied', 'replied']);
  });

  test('are not sent when they cannot be written down, and nothing happens to those before them', () => {
    const { session, send, written, journal, says, ends } = chunked();
    send('before');
    journal();
    send('one');
    send('two');
    journal(false);
    expect(written()).toEqual(['before']);
    expect([...ends]).toEqual([
      ['one', undefined],
      ['two', undefined],
    ]);
    says(TAKEN);
    expect(ends.get('before')).toMatchObject({ stage: 'dot', phase: 'replied' });
    expect(session.isUsable).toBe(true);
  });

  test('keep their order with one that is too large for a chunk', () => {
    const { send, written, journal, session } = chunked();
    send('one');
    send('large', Buffer.alloc(PIECE_BYTES + 1, 'x'));
    expect(session.isUsable).toBe(false);
    expect(written()).toEqual([]);
    journal();
    expect(written()).toEqual(['one', 'large']);
  });

  test('leave room again when one too large for a chunk is not written down either', () => {
    const { send, written, journal, session, ends } = chunked();
    send('one');
    send('large', Buffer.alloc(PIECE_BYTES + 1, 'x'));
    journal(false);
    expect(ends.size).toBe(2);
    expect(session.isUsable).toBe(true);
    send('next');
    journal();
    expect(written()).toEqual(['next']);
  });

  test.each([
    ['breaks', (line: ReturnType<typeof chunked>) => void line.breaks()],
    ['brings a reply to nothing', (line: ReturnType<typeof chunked>) => void line.says('250 ok\r\n')],
  ])('are to be sent over another session when the line %s before they are written', (_, happens) => {
    const line = chunked();
    line.send('before');
    line.journal();
    line.says(TAKEN);
    line.send('one');
    line.send('two');
    happens(line);
    line.journal();
    expect(line.written()).toEqual(['before']);
    expect(line.ends.get('before')).toMatchObject({ phase: 'replied' });
    expect([...line.ends].slice(1)).toEqual([
      ['one', undefined],
      ['two', undefined],
    ]);
  });

  test('leave those in doubt that went before when the line breaks', () => {
    const line = chunked();
    line.send('before');
    line.journal();
    line.send('one');
    line.breaks();
    expect([...line.ends].map(([to, fact]) => [to, fact?.phase])).toEqual([
      ['before', 'sent-unconfirmed'],
      ['one', undefined],
    ]);
  });
});

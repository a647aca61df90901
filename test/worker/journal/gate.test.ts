import { afterEach, expect, test } from 'vitest';
import { openSession } from '../../../worker/smtp/open-session.ts';
import { DEFAULT_TIMES } from '../../../worker/smtp/times.ts';
import type { Gate, TransactionFact } from '../../../worker/tasks/contract.ts';
import { Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';

const harness = new Harness();
afterEach(() => harness.clean());

const ENVELOPE = { from: 'news@example.org', to: 'reader@example.net' };
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
  const { end, messages } = await sendThrough({ ticket: () => 7, admits: () => false }, offers);
  expect(messages).toBe(0);
  // Either nothing of it went out, or it ended before its data did.
  expect(end?.phase ?? 'not-sent').toBe('not-sent');
});

test.each(RELAYS)('a mail is asked for with the ticket of when it was begun (%s)', async (_, offers) => {
  let current = 7;
  const shown: number[] = [];
  const gate = {
    ticket: () => current++,
    admits: (ticket: number) => {
      shown.push(ticket);
      return true;
    },
  };
  const { end, messages } = await sendThrough(gate, offers);
  expect({ messages, shown, stage: end?.stage }).toEqual({ messages: 1, shown: [7], stage: 'dot' });
});

import { describe, expect, test } from 'vitest';
import { SILENT } from '../../../worker/logger.ts';
import { type Job, RelayPool } from '../../../worker/smtp/pool.ts';
import { processSurroundings } from '../../../worker/surroundings.ts';
import { type RelaySession, SessionError, type TransactionFact } from '../../../worker/tasks/contract.ts';
import { until } from '../support/until.ts';

const RELAY = { NAME: 'r', HOST: 'h', PORT: 25, SECURE: false };
const SENT: TransactionFact = { stage: 'dot', phase: 'replied', reply: '250 ok' };

/** A relay in memory: the test says when sessions open and transactions end. */
class FakeRelay {
  readonly facts: TransactionFact[] = [];
  readonly opens: { resolve: () => void; reject: (error: Error) => void; signal: AbortSignal }[] = [];
  readonly sends: ((fact: TransactionFact | undefined) => void)[] = [];
  /** Jobs that nobody has taken yet. */
  left: number;
  open = 0;
  flying = 0;
  most = 0;
  now = 0;
  readonly pool: RelayPool;

  readonly #depth: number;
  /** Answer of every job to whether it may still be begun. */
  mayBegin = true;

  /** @param depth transactions that one session takes at a time */
  constructor(jobs: number, depth = 1) {
    this.left = jobs;
    this.#depth = depth;
    const source = {
      waiting: () => this.left,
      take: () => this.#take(),
      isNeeded: () => this.left > 0 || this.flying > 0,
    };
    const open = (_relay: unknown, signal: AbortSignal) => this.#open(signal);
    this.pool = new RelayPool(RELAY, open, source, { idleMs: 100 }, SILENT, {
      ...processSurroundings,
      now: () => this.now,
    });
  }

  #take(): Job | undefined {
    if (this.left === 0) return undefined;
    this.left--;
    this.flying++;
    return {
      mayBegin: () => this.mayBegin,
      render: () => ({ envelope: { from: '', to: '' }, bytes: Buffer.from('x') }),
      settle: (fact) => {
        this.flying--;
        this.facts.push(fact);
      },
    };
  }

  #open(signal: AbortSignal): Promise<RelaySession> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('given up')));
      this.opens.push({ signal, reject, resolve: () => resolve(this.#session()) });
    });
  }

  #session(): RelaySession {
    this.most = Math.max(this.most, ++this.open);
    let isOver = false;
    let flying = 0;
    const end = (): void => {
      if (!isOver) this.open--;
      isOver = true;
    };
    const depth = this.#depth;
    return {
      onRoom: () => {},
      send: (_envelope, _bytes, ended) => {
        flying++;
        this.sends.push((fact) => {
          flying--;
          if (fact === undefined) end();
          ended(fact);
        });
      },
      isFlushed: false,
      ready: async () => !isOver,
      get isUsable() {
        return !isOver && flying < depth;
      },
      close: async () => end(),
      abort: end,
    };
  }
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

describe('a pool', () => {
  test('tries a relay with one connection first, and opens the others when it works', async () => {
    const relay = new FakeRelay(100);
    relay.pool.setLimit(10);
    expect(relay.opens.length).toBe(1);
    relay.opens[0]?.resolve();
    await until('the others open', () => relay.opens.length === 10);
    for (const open of relay.opens.slice(1)) open.resolve();
    await until('all send', () => relay.sends.length === 10);
    expect(relay.most).toBe(10);
    expect(relay.left).toBe(90);
  });

  test('opens no more sessions than there is work', async () => {
    const relay = new FakeRelay(3);
    relay.pool.setLimit(10);
    relay.opens[0]?.resolve();
    await until('the first one sends', () => relay.sends.length === 1);
    expect(relay.opens.length).toBe(3);
  });

  test('a relay that refuses costs one job a time, with growing pauses', async () => {
    const relay = new FakeRelay(100);
    relay.pool.setLimit(10);
    relay.opens[0]?.reject(new SessionError({ stage: 'greeting', phase: 'replied', reply: '421 no' }));
    await until('it is told', () => relay.facts.length === 1);
    relay.pool.pump();
    expect(relay.opens.length).toBe(1);
    relay.now = 100;
    relay.pool.pump();
    expect(relay.opens.length).toBe(2);
    relay.opens[1]?.reject(new Error('no'));
    await until('it is told', () => relay.facts.length === 2);
    expect(relay.facts).toMatchObject([
      { stage: 'greeting', reply: '421 no' },
      { stage: 'connect', error: 'no' },
    ]);
    expect(relay.left).toBe(98);
    await relay.pool.release().then(() => relay.pool.abort(''));
  });

  test('several connections that fail together are one failure', async () => {
    const relay = new FakeRelay(100);
    relay.pool.setLimit(5);
    relay.opens[0]?.resolve();
    await until('the others open', () => relay.opens.length === 5);
    relay.sends[0]?.(undefined);
    await tick();
    relay.now = 1;
    for (const open of relay.opens.slice(1)) open.reject(new Error('no'));
    await tick();
    expect(relay.facts.length).toBe(1);
    relay.pool.abort('');
  });

  test('as long as a session works, others that cannot be opened cost nobody anything', async () => {
    const relay = new FakeRelay(100);
    relay.pool.setLimit(5);
    relay.opens[0]?.resolve();
    await until('the others open', () => relay.opens.length === 5);
    for (const open of relay.opens.slice(1)) open.reject(new Error('no more than one'));
    await tick();
    expect(relay.facts).toEqual([]);
    relay.sends[0]?.(SENT);
    await until('it goes on', () => relay.sends.length === 2);
    relay.pool.abort('');
  });

  test.each(['421 4.7.0 too many errors', '452 4.5.3 too many messages'])(
    'a session that has carried mail and then says at MAIL %j is used up: the mail goes over another',
    async (reply) => {
      const relay = new FakeRelay(3);
      relay.pool.setLimit(1);
      relay.opens[0]?.resolve();
      await until('the first goes', () => relay.sends.length === 1);
      relay.sends[0]?.(SENT);
      await until('the second goes', () => relay.sends.length === 2);
      relay.sends[1]?.({ stage: 'mail', phase: 'replied', reply });
      await until('another opens', () => relay.opens.length === 2);
      expect({ facts: relay.facts, open: relay.open }).toEqual({ facts: [SENT], open: 0 });
      relay.opens[1]?.resolve();
      await until('the second goes again', () => relay.sends.length === 3);
      relay.sends[2]?.(SENT);
      await until('the third goes', () => relay.sends.length === 4);
      expect(relay.facts).toEqual([SENT, SENT]);
      relay.pool.abort('');
    },
  );

  test('one that has carried none is not: the mail is put off', async () => {
    const relay = new FakeRelay(2);
    relay.pool.setLimit(1);
    relay.opens[0]?.resolve();
    await until('the first goes', () => relay.sends.length === 1);
    const later: TransactionFact = { stage: 'mail', phase: 'replied', reply: '450 4.7.1 slow down' };
    relay.sends[0]?.(later);
    await until('the second goes', () => relay.sends.length === 2);
    expect(relay.facts).toEqual([later]);
    expect(relay.opens.length).toBe(1);
    relay.pool.abort('');
  });

  test('a mail that came back and is put off by a session that has carried none is put off', async () => {
    const relay = new FakeRelay(2);
    relay.pool.setLimit(1);
    relay.opens[0]?.resolve();
    await until('the first goes', () => relay.sends.length === 1);
    relay.sends[0]?.(SENT);
    await until('the second goes', () => relay.sends.length === 2);
    const full: TransactionFact = { stage: 'mail', phase: 'replied', reply: '452 full' };
    relay.sends[1]?.(full);
    await until('another opens', () => relay.opens.length === 2);
    relay.opens[1]?.resolve();
    await until('the second goes again', () => relay.sends.length === 3);
    relay.sends[2]?.(full);
    await tick();
    expect(relay.facts).toEqual([SENT, full]);
    relay.pool.abort('');
  });

  test('a lower limit closes what is idle', async () => {
    const relay = new FakeRelay(2);
    relay.pool.setLimit(2);
    relay.opens[0]?.resolve();
    await until('the other opens', () => relay.opens.length === 2);
    relay.opens[1]?.resolve();
    await until('both send', () => relay.sends.length === 2);
    for (const end of relay.sends) end(SENT);
    await tick();
    relay.pool.setLimit(1);
    await until('one is closed', () => relay.open === 1);
  });

  test('what is idle for long is closed, the one used last stays', async () => {
    const relay = new FakeRelay(1);
    relay.pool.setLimit(1);
    relay.opens[0]?.resolve();
    await until('it sends', () => relay.sends.length === 1);
    relay.sends[0]?.(SENT);
    await tick();
    relay.now = 100;
    relay.pool.sweep();
    expect(relay.open).toBe(1);
    relay.now = 101;
    relay.pool.sweep();
    await until('it is closed', () => relay.pool.isEmpty);
  });

  test('release gives up what is opening, closes what is idle, and leaves nothing', async () => {
    const relay = new FakeRelay(2);
    relay.pool.setLimit(2);
    relay.opens[0]?.resolve();
    await until('the other opens', () => relay.opens.length === 2 && relay.sends.length === 1);
    relay.left = 0;
    relay.sends[0]?.(SENT);
    await until('it is settled', () => relay.flying === 0);
    await relay.pool.release();
    expect(relay.opens[1]?.signal.aborted).toBe(true);
    expect(relay.pool.isEmpty).toBe(true);
    expect(relay.open).toBe(0);
    expect(relay.facts.length).toBe(1);
  });

  test('release stops when there is new work', async () => {
    const relay = new FakeRelay(1);
    relay.pool.setLimit(1);
    relay.opens[0]?.resolve();
    await until('it sends', () => relay.sends.length === 1);
    relay.sends[0]?.(SENT);
    await until('it is settled', () => relay.flying === 0);
    const released = relay.pool.release();
    relay.left = 1;
    relay.pool.pump();
    await released;
    relay.opens[1]?.resolve();
    await until('the new job is sent', () => relay.sends.length === 2);
  });
});

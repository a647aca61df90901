import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  eachSeq,
  intersectRanges,
  type RecipientResult,
  rangesOf,
  subtractRanges,
  type WorkerReport,
} from '../../../protocol/index.ts';
import { type ReportContext, readReport } from '../../../server/dispatch/read-report.ts';

const NOW = 1_000_000;
const CONTEXT: ReportContext = {
  batch: 'b',
  createdAt: NOW,
  options: { retryBaseMs: 1_000, retryCapMs: 60_000, retryForMs: 3_600_000, onUnknown: 'RETRY' },
  seqs: [[0, 9]],
  attempts: new Map(),
  faultDelayMs: 400,
  now: NOW,
  random: () => 0,
};

const REPORT: WorkerReport = { STATUS: 'NOK', TASK: 'SEND', TASK_UUID: 't' };
const read = (report: Partial<WorkerReport>, context: Partial<ReportContext> = {}) =>
  readReport({ ...REPORT, ...report }, { ...CONTEXT, ...context });
const one = (result: Partial<RecipientResult>, context: Partial<ReportContext> = {}) =>
  read({ RESULTS: [{ SEQ: 3, STATUS: 'NOK', ...result }] }, context);
const outcome = (result: Partial<RecipientResult>, context: Partial<ReportContext> = {}) =>
  one(result, context).settlement.outcomes[0];

describe('what a journal leaves open', () => {
  const left = { STAGE: 'LOCAL', PHASE: 'SENT_UNCONFIRMED', ERROR: 'the worker ended' } as const;

  it('is tried again at once, marked, at the cost of no attempt, and says nothing of the relay', () => {
    const { settlement, relay } = one(left);
    expect(settlement.outcomes[0]).toMatchObject({
      ...{ seq: 3, state: 'deferred', dueAt: NOW, maybeSent: true, charged: false },
    });
    expect(relay).toMatchObject({ faults: 0, alive: 0 });
  });

  it('is unknown where the batch says so', () => {
    const options = { ...CONTEXT.options, onUnknown: 'HOLD' } as const;
    expect(outcome(left, { options })).toMatchObject({ state: 'unknown', maybeSent: true, charged: false });
  });
});

describe('the shortest reports', () => {
  it('OK says that all recipients of the task are sent', () => {
    const { settlement, relay } = read({ STATUS: 'OK' });
    expect(settlement).toMatchObject({ sent: [[0, 9]], outcomes: [], returned: [], done: true });
    expect(relay).toMatchObject({ sent: 10, alive: 10, faults: 0 });
  });

  it('NOK says that all of them failed for now, and nothing of the relay', () => {
    const { settlement, relay } = read({ ERROR: 'no network' });
    expect(settlement.sent).toEqual([]);
    expect(settlement.outcomes).toHaveLength(10);
    for (const { state, reply, charged } of settlement.outcomes)
      expect({ state, reply, charged }).toEqual({ state: 'deferred', reply: 'no network', charged: true });
    expect(settlement.done).toBe(true);
    expect(relay).toMatchObject({ sent: 0, alive: 0, faults: 0, refusedInRow: [] });
  });

  it('with SENT alone speak of those only, and leave the task open', () => {
    expect(read({ STATUS: 'OK', SENT: [[2, 3]] }).settlement).toMatchObject({ sent: [[2, 3]], done: false });
    expect(read({ STATUS: 'OK', SENT: [] }).settlement).toMatchObject({ sent: [], done: false });
  });

  it('with DONE close the task, whose other recipients go back', () => {
    expect(read({ STATUS: 'OK', DONE: true }).settlement).toMatchObject({
      sent: [],
      outcomes: [],
      done: true,
    });
  });

  it('with RETURNED give recipients back untouched', () => {
    expect(read({ RETURNED: [[4, 9]] }).settlement).toMatchObject({ returned: [[4, 9]], outcomes: [] });
  });

  it('with RESULTS may name every recipient for itself', () => {
    const RESULTS: RecipientResult[] = [
      { SEQ: 1, STATUS: 'OK' },
      { SEQ: 0, STATUS: 'OK' },
      { SEQ: 2, STATUS: 'NOK', REPLY: '550 5.1.1 no such user' },
    ];
    const { settlement } = read({ RESULTS });
    expect(settlement.sent).toEqual([[0, 1]]);
    expect(settlement.outcomes).toMatchObject([{ seq: 2, state: 'failed', reply: '550 5.1.1 no such user' }]);
  });
});

describe('what failed, and whose affair it was', () => {
  it('a 5xx to the recipient fails it, and shows the relay alive', () => {
    const read = one({ STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '550 5.1.1 unknown' });
    expect(read.settlement.outcomes[0]).toMatchObject({ state: 'failed', charged: true });
    expect(read.relay).toMatchObject({ alive: 1, sent: 0, faults: 0, refusedInRow: [] });
  });

  it('a 4xx defers it at the cost of an attempt', () => {
    const read = one({ STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '451 4.7.1 greylisted' });
    expect(read.settlement.outcomes[0]).toMatchObject({ state: 'deferred', charged: true, dueAt: NOW + 500 });
    expect(read.relay).toMatchObject({ alive: 1, faults: 0 });
  });

  it('waits longer the more attempts are behind it', () => {
    const reply = { STAGE: 'RCPT', PHASE: 'REPLIED', REPLY: '451 later' } as const;
    expect(outcome(reply, { attempts: new Map([[3, 4]]) })?.dueAt).toBe(NOW + 8_000);
  });

  it('everything before RCPT is the relay, costs no attempt and is tried again soon', () => {
    for (const STAGE of ['CONNECT', 'GREETING', 'EHLO', 'TLS', 'AUTH', 'MAIL'] as const) {
      const read = one({ STAGE, PHASE: 'NOT_SENT', ERROR: 'ECONNREFUSED' });
      expect(read.settlement.outcomes[0]).toMatchObject({
        state: 'deferred',
        charged: false,
        dueAt: NOW + 200,
      });
      expect(read.relay).toMatchObject({ alive: 0, faults: 1 });
      expect(read.relay.faultsInRow).toHaveLength(1);
    }
  });

  it('a 421 is the relay at any stage', () => {
    for (const STAGE of ['RCPT', 'DATA', 'DOT'] as const) {
      const read = one({ STAGE, PHASE: 'REPLIED', REPLY: '421 4.3.2 going down' });
      expect(read.settlement.outcomes[0]).toMatchObject({ state: 'deferred', charged: false });
      expect(read.relay).toMatchObject({ alive: 0, faults: 1 });
    }
  });

  it('a policy refusal fails it, and is remembered as one of a row', () => {
    const read = one({ STAGE: 'DOT', PHASE: 'REPLIED', REPLY: '550 5.7.1 blocked' });
    expect(read.settlement.outcomes[0]).toMatchObject({ state: 'failed' });
    expect(read.relay.refusedInRow).toEqual([{ batch: 'b', seq: 3 }]);
  });

  it('what the worker itself refused says nothing of the relay', () => {
    const read = one({ STAGE: 'LOCAL', PHASE: 'NOT_SENT', ERROR: 'needs SMTPUTF8' });
    expect(read.settlement.outcomes[0]).toMatchObject({ state: 'failed' });
    expect(read.relay).toMatchObject({ alive: 0, faults: 0 });
  });

  it('a failure without a word of where or why is temporary, and says nothing of the relay', () => {
    const read = one({});
    expect(read.settlement.outcomes[0]).toMatchObject({ state: 'deferred', charged: true });
    expect(read.relay).toMatchObject({ alive: 0, faults: 0, faultsInRow: [] });
  });

  it('a failure that quotes a success is temporary: it is never taken for sent', () => {
    const read = one({ STAGE: 'DOT', PHASE: 'REPLIED', REPLY: '250 2.0.0 queued' });
    expect(read.settlement).toMatchObject({ sent: [], outcomes: [{ state: 'deferred' }] });
  });

  it('is given up when it has been tried for too long', () => {
    const { options } = CONTEXT;
    const late = outcome({ REPLY: '451 later' }, { options: { ...options, retryForMs: 100 } });
    expect(late).toMatchObject({ state: 'failed', reply: expect.stringMatching(/given up.*451 later/) });
    expect(late?.dueAt).toBeUndefined();
  });
});

describe('a dot without a reply', () => {
  const cut = { STAGE: 'DOT', PHASE: 'SENT_UNCONFIRMED', ERROR: 'ECONNRESET' } as const;

  it('is retried with a mark by default, and a fault of the relay', () => {
    const read = one(cut);
    expect(read.settlement.outcomes[0]).toMatchObject({ state: 'deferred', maybeSent: true, charged: true });
    expect(read.relay).toMatchObject({ alive: 0, faults: 1 });
  });

  it('is held where the batch asks for that', () => {
    const options = { ...CONTEXT.options, onUnknown: 'HOLD' } as const;
    const held = outcome(cut, { options });
    expect(held).toMatchObject({ state: 'unknown', maybeSent: true });
    expect(held?.dueAt).toBeUndefined();
  });

  it('keeps its mark when it is given up', () => {
    const options = { ...CONTEXT.options, retryForMs: 1 };
    expect(outcome(cut, { options })).toMatchObject({ state: 'failed', maybeSent: true });
  });
});

describe('what a mixed report says of its relay', () => {
  const fault = (SEQ: number): RecipientResult => ({
    SEQ,
    STATUS: 'NOK',
    STAGE: 'MAIL',
    PHASE: 'NOT_SENT',
    ERROR: 'x',
  });
  const refused = (SEQ: number): RecipientResult => ({
    SEQ,
    STATUS: 'NOK',
    STAGE: 'RCPT',
    PHASE: 'REPLIED',
    REPLY: '550 5.7.1 no',
  });

  it('counts all faults, but in a row only those that no answer came behind', () => {
    const { relay } = read({ SENT: [[2, 6]], RESULTS: [fault(0), fault(1), fault(7), fault(8)] });
    expect(relay.faults).toBe(4);
    expect(relay.faultsInRow).toHaveLength(2);
  });

  it('takes a recipient refused for itself for a sign of life', () => {
    const no: RecipientResult = {
      SEQ: 9,
      STATUS: 'NOK',
      STAGE: 'RCPT',
      PHASE: 'REPLIED',
      REPLY: '550 5.1.1 no',
    };
    expect(read({ RESULTS: [fault(7), no] }).relay).toMatchObject({ faults: 1, faultsInRow: [] });
  });

  it('takes single refusals among successes for what they are', () => {
    const { relay } = read({
      SENT: [
        [1, 1],
        [4, 6],
      ],
      RESULTS: [refused(0), refused(3), refused(8)],
    });
    expect(relay.refusedInRow.map(({ seq }) => seq)).toEqual([8]);
  });
});

const ranges = fc.array(fc.nat(14), { maxLength: 12 }).map((seqs) => rangesOf(seqs) as [number, number][]);
const anyResult: fc.Arbitrary<RecipientResult> = fc.record(
  {
    SEQ: fc.nat(14),
    STATUS: fc.constantFrom('OK', 'NOK'),
    STAGE: fc.constantFrom('CONNECT', 'MAIL', 'RCPT', 'DATA', 'DOT', 'LOCAL'),
    PHASE: fc.constantFrom('NOT_SENT', 'SENT_UNCONFIRMED', 'REPLIED'),
    REPLY: fc.oneof(
      fc.constantFrom('250 ok', '421 bye', '451 later', '550 5.7.1 no', '550 no', ''),
      fc.string(),
    ),
    ERROR: fc.string(),
  },
  { requiredKeys: ['SEQ', 'STATUS'] },
);
const anyReport = fc.record(
  {
    STATUS: fc.constantFrom('OK', 'NOK'),
    TASK: fc.constant('SEND' as const),
    TASK_UUID: fc.constant('t'),
    ERROR: fc.string(),
    RESULTS: fc.array(anyResult, { maxLength: 12 }),
    SENT: ranges,
    RETURNED: ranges,
    DONE: fc.boolean(),
  },
  { requiredKeys: ['STATUS', 'TASK', 'TASK_UUID'] },
) as fc.Arbitrary<WorkerReport>;

describe('any report', () => {
  it('puts every seq that it names in exactly one place', () => {
    fc.assert(
      fc.property(anyReport, fc.constantFrom('RETRY', 'HOLD'), (report, onUnknown) => {
        const context = { ...CONTEXT, options: { ...CONTEXT.options, onUnknown } };
        const { sent, outcomes, returned } = readReport(report, context).settlement;
        const placed = [...eachSeq(sent), ...outcomes.map(({ seq }) => seq), ...eachSeq(returned)];
        expect(new Set(placed).size).toBe(placed.length);
        const { RESULTS = [], SENT = [], RETURNED = [] } = report;
        const bare = !('RESULTS' in report || 'SENT' in report || 'RETURNED' in report || report.DONE);
        const named = new Set([
          ...(bare ? eachSeq(CONTEXT.seqs) : []),
          ...RESULTS.map(({ SEQ }) => SEQ),
          ...eachSeq(SENT),
          ...eachSeq(RETURNED),
        ]);
        expect(new Set(placed)).toEqual(named);
      }),
    );
  });

  it('makes nobody sent who was not said to be sent', () => {
    fc.assert(
      fc.property(anyReport, (report) => {
        const { RESULTS = [], SENT = [] } = report;
        const bareOk =
          report.STATUS === 'OK' &&
          !('RESULTS' in report || 'SENT' in report || 'RETURNED' in report || report.DONE);
        const said = rangesOf([
          ...RESULTS.filter(({ STATUS }) => STATUS === 'OK').map(({ SEQ }) => SEQ),
          ...eachSeq(SENT),
          ...(bareOk ? eachSeq(CONTEXT.seqs) : []),
        ]);
        expect(readReport(report, CONTEXT).settlement.sent).toEqual(said);
      }),
    );
  });

  it('counts for the relay only recipients of the task', () => {
    fc.assert(
      fc.property(anyReport, (report) => {
        const { settlement, relay } = readReport(report, CONTEXT);
        expect(relay.sent).toBe([...eachSeq(intersectRanges(settlement.sent, CONTEXT.seqs))].length);
        expect(relay.faultsInRow.length).toBeLessThanOrEqual(relay.faults);
        const foreign = subtractRanges([[0, 20]], CONTEXT.seqs);
        expect(read({ STATUS: 'OK', SENT: foreign as [number, number][] }).relay.sent).toBe(0);
      }),
    );
  });

  it('defers to a time that has not passed, and only what is deferred', () => {
    fc.assert(
      fc.property(
        anyReport,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (report, random) => {
          const { outcomes } = readReport(report, { ...CONTEXT, random: () => random }).settlement;
          for (const { state, dueAt } of outcomes) {
            if (state === 'deferred') expect(dueAt).toBeGreaterThanOrEqual(NOW);
            else expect(dueAt).toBeUndefined();
          }
        },
      ),
    );
  });
});

import type { Row, Submission } from '../../../client/index.ts';
import { seededRandom } from '../../../sink/pace.ts';

export const SENDER_DOMAIN = 'example.org';

/** A batch that is submitted in the course of a run. */
export interface PlannedBatch {
  readonly key: string;
  /** Which server it is submitted to. */
  readonly server: number;
  /** Since the start, ms. */
  readonly atMs: number;
  readonly submission: Submission;
  /** The same rows in the same order, however often it is asked for them. */
  readonly rows: readonly Row[];
}

export interface LoadSettings {
  readonly seed: number;
  readonly seconds: number;
  readonly recipients: number;
  readonly servers: number;
}

/** Batches per second of a run. */
const BATCHES_PER_SECOND = 0.6;
/** All are submitted within this part of a run, so that faults meet the sending of the last one too. */
const SUBMITTED_WITHIN = 0.8;
/** How much of the mail goes to the first server, so that the others lend it their workers. */
const FIRST_SERVER_SHARE = 0.5;
/** One batch in so many leaves alone what may have been sent. */
const HOLD_EVERY = 5;

/** Beginnings of addresses that the sinks misbehave to (see the rules of the sink), each with the share of recipients that has it. */
const TROUBLE: readonly (readonly [string, number])[] = [
  ['5xx', 0.01],
  ['dot552', 0.005],
  ['450once', 0.01],
  ['421once', 0.005],
  ['dot451once', 0.01],
  ['greylist', 0.01],
  ['disagree-once', 0.005],
  ['rset-once', 0.005],
  ['drop-before-dot-once', 0.005],
  ['drop-after-dot-once', 0.005],
  ['slow', 0.01],
];

/** Whether the sinks refuse this address for good. */
export function isRefused(address: string): boolean {
  return /^(5xx|dot552)-/.test(address);
}

/** The load of a run: the same settings give the same one. */
export function planBatches({ seed, seconds, recipients, servers }: LoadSettings): PlannedBatch[] {
  // Another sequence than that of the faults.
  const random = seededRandom(seed ^ 0x5eed);
  const count = Math.max(1, Math.min(recipients, Math.round(seconds * BATCHES_PER_SECOND)));
  const span = (seconds * 1000 * SUBMITTED_WITHIN) / count;
  return Array.from({ length: count }, (_, number) => {
    const size = Math.floor(((number + 1) * recipients) / count) - Math.floor((number * recipients) / count);
    const others = servers - 1;
    const isFirst = others === 0 || random() < FIRST_SERVER_SHARE;
    return {
      key: `chaos-${seed}-${number}`,
      server: isFirst ? 0 : 1 + Math.floor(random() * others),
      atMs: Math.floor((number + random()) * span),
      submission: submissionOf(seed, number),
      rows: Array.from({ length: size }, (_, index) => rowOf(index, random)),
    };
  });
}

function submissionOf(seed: number, number: number): Submission {
  return {
    from: `Town hall <news@${SENDER_DOMAIN}>`,
    subject: 'Hello {{name}}',
    text: 'Dear {{name}},\n\nthe storm will pass.\n',
    name: `batch ${number + 1}`,
    key: `chaos-${seed}-${number}`,
    onUnknown: number % HOLD_EVERY === HOLD_EVERY - 1 ? 'hold' : 'retry',
  };
}

function rowOf(index: number, random: () => number): Row {
  let dart = random();
  for (const [rule, share] of TROUBLE) {
    dart -= share;
    if (dart < 0) return { address: `${rule}-${index}@example.net`, name: `Person ${index}` };
  }
  return { address: `person${index}@example.net`, name: `Person ${index}` };
}

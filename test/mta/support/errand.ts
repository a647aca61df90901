import { classify, type SmtpPhase, type SmtpStage, type Verdict } from '../../../mail/index.ts';
import type { RecipientResult, Relay } from '../../../protocol/index.ts';
import type { CompiledMessage } from '../../../worker/tasks/contract.ts';
import type { WorkerOptions } from '../../../worker/worker.ts';
import type { Harness } from '../../worker/support/harness.ts';
import type { Visit } from '../../worker/support/scripted-server.ts';
import { taskOf } from '../../worker/support/tasks.ts';
import type { Mta } from './mta.ts';

export interface Errand {
  readonly addresses: readonly string[];
  readonly connections?: number;
  readonly relay?: Partial<Relay>;
  /** Replaces the usual message: the bytes for each address. */
  readonly bytes?: (address: string) => Buffer;
  readonly worker?: Partial<WorkerOptions>;
}

/** What a worker has reported of a task. */
export interface Report {
  /** Addresses. */
  readonly sent: readonly string[];
  readonly returned: readonly string[];
  readonly others: readonly Other[];
}

export interface Other extends Verdict {
  readonly address: string;
  readonly stage: string;
  readonly phase: string;
  readonly reply: string;
}

const FROM = 'news@example.org';

/** A task on its way through a worker to a mail server. */
export interface Running {
  readonly visit: Visit;
  /** Waits until the worker has told of all of it. */
  done(): Promise<Report>;
}

/** Gives one task to a worker of its own. */
export async function send(harness: Harness, mta: Mta, errand: Errand): Promise<Running> {
  const { addresses, bytes } = errand;
  const server = await harness.server();
  const compile = async (): Promise<CompiledMessage> => ({
    render: ({ ADDRESS }) => ({ envelope: { from: FROM, to: ADDRESS }, bytes: bytes?.(ADDRESS) as Buffer }),
  });
  harness.worker([server.url], {
    connections: errand.connections ?? 4,
    ...(bytes === undefined ? {} : { compile }),
    ...errand.worker,
  });
  const visit = await server.visit();
  await visit.alive();
  const MESSAGE = { FROM: `News <${FROM}>`, SUBJECT: 'Hello {{who}}', TEXT: 'Dear {{who}},\nwelcome.\n' };
  const task = taskOf('t', mta.port, addresses, {
    MESSAGE,
    RELAY: { NAME: 'mta', STARTTLS: 'NEVER', ...errand.relay },
  });
  visit.send({
    ...task,
    RECIPIENTS: task.RECIPIENTS.map((recipient) => ({ ...recipient, VARIABLES: { who: recipient.ADDRESS } })),
  });
  const addressOf = (seq: number): string => addresses[seq] as string;
  return {
    visit,
    done: async () => {
      await visit.done('t');
      return {
        sent: visit.sent.map(addressOf),
        returned: visit.returned.map(addressOf),
        others: visit.results.map((result) => otherOf(result, addressOf(result.SEQ))),
      };
    },
  };
}

/** What the server would make of a result. */
function otherOf({ STAGE, PHASE, REPLY, ERROR }: RecipientResult, address: string): Other {
  const stage = (STAGE ?? 'DOT').toLowerCase() as SmtpStage;
  const phase = (PHASE ?? 'REPLIED').toLowerCase().replace('_', '-') as SmtpPhase;
  const { outcome, fault, policy, chargeAttempt } = classify({ stage, phase, reply: REPLY, error: ERROR });
  return { address, stage, phase, reply: REPLY ?? ERROR ?? '', outcome, fault, policy, chargeAttempt };
}

import type { RelaySettings } from '../../config/index.ts';
import { messageIdOf } from '../../mail/index.ts';
import type { Dkim, Relay } from '../../protocol/index.ts';
import type { ClaimedRecipient } from './store.ts';

/** What a relay looks like in a task. */
export function wireRelay(relay: RelaySettings, connections: number | undefined): Relay {
  return {
    NAME: relay.name,
    HOST: relay.host,
    PORT: relay.port,
    SECURE: relay.secure,
    STARTTLS: relay.starttls,
    ...(relay.verify ? {} : { VERIFY: false }),
    ...(relay.user === undefined ? {} : { USER: relay.user }),
    ...(relay.pass === undefined ? {} : { PASS: relay.pass }),
    ...(relay.clearAuth ? { CLEAR_AUTH: true } : {}),
    ...(connections === undefined ? {} : { CONNECTIONS: connections }),
  };
}

export interface TaskParts {
  readonly task: string;
  readonly batch: string;
  readonly worker: string;
  readonly leaseMs: number;
  /** The Date of the batch's messages, ms since the epoch. */
  readonly date: number;
  /** JSON of the message, and domain of its sender. */
  readonly messageJson: string;
  readonly senderDomain: string;
  readonly relay: Relay;
  readonly dkim: Dkim | undefined;
  readonly recipients: readonly ClaimedRecipient[];
}

/** The SEND message as text. Message and variables are JSON already and go in as they are: nothing is serialised twice. */
export function taskFrame(parts: TaskParts): string {
  const recipients = parts.recipients.map((recipient) => recipientJson(parts, recipient)).join(',');
  const head = JSON.stringify({
    TASK: 'SEND',
    TASK_UUID: parts.task,
    BATCH_UUID: parts.batch,
    WORKER_UUID: parts.worker,
    LEASE_S: parts.leaseMs / 1000,
    DATE: new Date(parts.date).toISOString(),
    RELAY: parts.relay,
    DKIM: parts.dkim,
  });
  return `${head.slice(0, -1)},"MESSAGE":${parts.messageJson},"RECIPIENTS":[${recipients}]}`;
}

function recipientJson(parts: TaskParts, recipient: ClaimedRecipient): string {
  const id = messageIdOf(parts.batch, recipient.seq, parts.senderDomain);
  let json = `{"SEQ":${recipient.seq},"ADDRESS":${JSON.stringify(recipient.address)},"MESSAGE_ID":${JSON.stringify(id)}`;
  if (recipient.name !== undefined) json += `,"NAME":${JSON.stringify(recipient.name)}`;
  if (recipient.variables !== undefined) json += `,"VARIABLES":${recipient.variables}`;
  if (recipient.attempts > 0) json += `,"ATTEMPT":${recipient.attempts + 1}`;
  return `${json}}`;
}

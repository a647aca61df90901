import type { Relay, TaskSend } from '../../../protocol/index.ts';

export const BATCH = '01939c6e-6b1f-7000-8000-0000000000dd';

/** A task whose recipients are these addresses, with SEQ from 0. */
export function taskOf(
  id: string,
  port: number,
  addresses: readonly string[],
  changes: Partial<Omit<TaskSend, 'RELAY'>> & { RELAY?: Partial<Relay> } = {},
): TaskSend {
  return {
    TASK: 'SEND',
    TASK_UUID: id,
    BATCH_UUID: BATCH,
    LEASE_S: 60,
    DATE: '2026-01-01T12:00:00.000Z',
    MESSAGE: { FROM: 'News <news@example.org>', SUBJECT: 'Hello', TEXT: 'Dear reader\n.\n..dots\n' },
    RECIPIENTS: addresses.map((ADDRESS, SEQ) => ({
      SEQ,
      ADDRESS,
      MESSAGE_ID: `<${BATCH}.${id}.${SEQ}@example.org>`,
    })),
    ...changes,
    RELAY: { NAME: 'sink', HOST: '127.0.0.1', PORT: port, SECURE: false, ...changes.RELAY },
  };
}

/** `count` well-behaved addresses. */
export function people(count: number, name = 'user'): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${i}@example.net`);
}

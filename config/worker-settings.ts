import { z } from 'zod';
import { LOG_LEVEL } from './log-level.ts';
import { duration, type Loaded, onOff, type Setting, token, whole } from './setting.ts';

const ServerUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^wss?:$/.test(new URL(text).protocol),
    'must be the address of a server, such as ws://127.0.0.1:8765',
  );

/** Everything that can be set of a worker. */
export const WORKER_SETTINGS = {
  server: {
    schema: z.array(ServerUrl).min(1).max(20),
    fallback: ['ws://127.0.0.1:8765'] as string[],
    value: 'URL',
    repeatable: true,
    description: 'its home server; further ones are used while the first cannot be reached',
  },
  token: {
    schema: token(1),
    value: 'TOKEN',
    secret: true,
    description: "the server's token for workers",
  },
  tlsCa: {
    schema: z.string().min(1),
    value: 'FILE',
    description: "authorities (PEM) that the server's certificate is checked against",
  },
  data: {
    schema: z.string().min(1),
    value: 'DIR',
    description:
      'folder of its journal, name and log, for one worker at a time; with several processes, each has a numbered folder in it; default: the first of .mutirao/worker-1, worker-2, … in the working folder that is free',
  },
  connections: {
    schema: whole(1, 10_000),
    fallback: 20,
    value: 'N',
    description: 'SMTP connections per relay',
  },
  transactionsPerConnection: {
    schema: whole(1, 100),
    fallback: 4,
    value: 'N',
    description:
      'most mails under way on one connection to a relay that offers CHUNKING; each is one more that may end as unknown when the connection breaks; 1: one after the other, and without CHUNKING',
  },
  inFlight: {
    schema: whole(1, 100_000),
    value: 'N',
    description:
      'most mails begun and not yet acknowledged by the server, which bounds duplicates after a crash; default: twenty times the connections',
  },
  processes: { schema: whole(1, 256), fallback: 1, value: 'N', description: 'worker processes to run' },
  heloName: {
    schema: z.string().min(1).max(255),
    value: 'NAME',
    description: 'name given in EHLO; default: the host name',
  },
  patience: {
    schema: duration(0, 3_600_000),
    fallback: '10s',
    value: 'TIME',
    description:
      'how long a server that was lost is waited for, before the next one is tried: further ones of --server, and those that share its store',
  },
  drain: {
    schema: duration(0, 3_600_000),
    fallback: '25s',
    value: 'TIME',
    description: 'how long a stop waits for mails in flight',
  },
  verbose: { schema: onOff, fallback: false, description: 'same as --log-level debug' },
  logLevel: LOG_LEVEL,
  logFile: {
    schema: z.string().min(1),
    value: 'FILE',
    description: 'rotated log file, or none; default: worker.log in the data folder',
  },
} as const satisfies Record<string, Setting>;

export type WorkerSettings = Loaded<typeof WORKER_SETTINGS>;

import { isIP } from 'node:net';
import { z } from 'zod';
import { DkimSpec } from './dkim-spec.ts';
import { LOG_LEVEL } from './log-level.ts';
import { RelaySpec } from './relay-url.ts';
import { duration, type Loaded, onOff, type Setting, token, whole } from './setting.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const PeerUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^wss?:$/.test(new URL(text).protocol),
    'must be the address of a server, such as ws://10.0.0.2:8765',
  );

/** A host, with a port or without; an IPv6 address with a port stands in brackets. */
const HostAndPort = z
  .string()
  .refine(
    (text) => isIP(text) === 6 || isUrlAuthority(text),
    'must be HOST, HOST:PORT or [IPV6]:PORT, such as 10.0.0.2:8765',
  );

function isUrlAuthority(text: string): boolean {
  if (!/^(\[[0-9a-f:.]+\]|[^\s/?#@:[\]]+)(:\d{1,5})?$/i.test(text)) return false;
  return URL.canParse(`ws://${text}`) && !/:0*$/.test(text);
}

const Relays = z
  .array(RelaySpec)
  .max(1_000)
  .superRefine((relays, context) => {
    const names = new Set<string>();
    for (const [i, { name }] of relays.entries()) {
      if (names.has(name))
        context.addIssue({
          code: 'custom',
          path: [i],
          message: `two relays are named ${JSON.stringify(name)}: give one of them another name=`,
        });
      names.add(name);
    }
  });

const StoreAddress = z
  .string()
  .refine(
    isStoreAddress,
    'must be sqlite, or the address of a PostgreSQL database, such as postgres://user:password@host:5432/mutirao',
  );

function isStoreAddress(text: string): boolean {
  if (text === 'sqlite') return true;
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) return false;
  return new URL(text).pathname.length > 1;
}

const secret = token(8);

/** Everything that can be set of a server. */
export const SERVER_SETTINGS = {
  host: {
    schema: z.string().min(1),
    fallback: '127.0.0.1',
    value: 'HOST',
    description: 'address to listen on; beyond loopback it wants the three tokens, or --insecure',
  },
  port: {
    schema: whole(0, 65_535),
    fallback: 8765,
    value: 'PORT',
    description: 'port for WebSocket and HTTP; 0 takes a free one',
  },
  advertise: {
    schema: HostAndPort,
    value: 'HOST[:PORT]',
    description:
      'where peers and their workers reach this server; default: the host and port that it listens on',
  },
  data: {
    schema: z.string().min(1),
    value: 'DIR',
    description:
      'folder of its store, identity and logs; default: .mutirao/server-PORT in the working folder',
  },
  acceptCopy: {
    schema: onOff,
    fallback: false,
    description:
      'go on with the batches of a data folder that was copied or restored; without it they are paused at the start',
  },
  staleAfter: {
    schema: duration(0, 366 * DAY),
    fallback: '24h',
    value: 'TIME',
    description: 'a store whose last commit is older than this starts with its batches paused; 0: never',
  },
  store: {
    schema: StoreAddress,
    fallback: 'sqlite',
    value: 'URL',
    secret: true,
    description:
      'where batches are kept: sqlite is a file in the data folder; postgres://user:password@host:port/database is a database that several servers may share',
  },
  ownerLease: {
    schema: duration(1_000, HOUR),
    fallback: '10s',
    value: 'TIME',
    description:
      'servers that share a --store: how long they wait for a sign of life of this one before they take over its batches',
  },
  peer: {
    schema: z.array(PeerUrl).max(200),
    fallback: [] as string[],
    value: 'URL',
    repeatable: true,
    description: 'a server of the mesh; one is enough to join',
  },
  relay: {
    schema: Relays,
    fallback: [] as string[],
    value: 'URL',
    repeatable: true,
    description:
      'an SMTP server to send through: smtp://user:pass@host:port?name=…&weight=…&connections=… or smtps://…',
  },
  dkim: {
    schema: z.array(DkimSpec).max(1_000),
    fallback: [] as string[],
    value: 'DOMAIN:SELECTOR:FILE',
    repeatable: true,
    description:
      'signs mail from that domain and those below it with the private key (PEM, RSA or Ed25519) in the file; published as SELECTOR._domainkey.DOMAIN',
  },
  tokenWorker: { schema: secret, value: 'TOKEN', secret: true, description: 'what workers must show' },
  tokenClient: { schema: secret, value: 'TOKEN', secret: true, description: 'what clients must show' },
  tokenMesh: {
    schema: secret,
    value: 'TOKEN',
    secret: true,
    description: 'what peers must show; also signs the tickets of loans',
  },
  insecure: { schema: onOff, fallback: false, description: 'listen beyond loopback without tokens' },
  tlsCert: {
    schema: z.string().min(1),
    value: 'FILE',
    description: 'certificate chain (PEM): the port speaks wss and https',
  },
  tlsKey: { schema: z.string().min(1), value: 'FILE', description: 'its private key (PEM)' },
  tlsCa: {
    schema: z.string().min(1),
    value: 'FILE',
    description: 'authorities (PEM) that peers’ certificates are checked against',
  },

  lease: {
    schema: duration(1_000, HOUR),
    fallback: '60s',
    value: 'TIME',
    description: 'how long a worker may hold a task without a word',
  },
  taskSeconds: {
    schema: duration(100, 60_000),
    fallback: '2s',
    value: 'TIME',
    description: "size of a task, in a worker's measured speed",
  },
  park: {
    schema: duration(100, 300_000),
    fallback: '20s',
    value: 'TIME',
    description: 'how long a pull waits for work before it is answered NO_TASK',
  },
  retryBase: {
    schema: duration(10, DAY),
    fallback: '5m',
    value: 'TIME',
    description: 'wait before the first retry; it doubles with every attempt',
  },
  retryCap: {
    schema: duration(10, 30 * DAY),
    fallback: '4000s',
    value: 'TIME',
    description: 'longest wait between two attempts',
  },
  retryFor: {
    schema: duration(1_000, 60 * DAY),
    fallback: '5d',
    value: 'TIME',
    description: 'how long a recipient is tried before it fails',
  },
  expires: {
    schema: duration(1_000, 366 * DAY),
    fallback: '5d',
    value: 'TIME',
    description:
      'how long after its submission a batch may be sent, unless it says so itself; at least as long as it retries',
  },
  onUnknown: {
    schema: z
      .enum(['retry', 'hold'], 'must be retry or hold')
      .transform((text) => text.toUpperCase() as 'RETRY' | 'HOLD'),
    fallback: 'retry',
    value: 'POLICY',
    description: 'retry or hold a mail whose relay cut the line after the final dot',
  },
  breakerThreshold: {
    schema: whole(1, 10_000),
    fallback: 5,
    value: 'N',
    description: 'consecutive faults of a relay that open its breaker',
  },
  breakerOpen: {
    schema: duration(10, HOUR),
    fallback: '30s',
    value: 'TIME',
    description: 'how long it stays open, times the number of times in a row',
  },
  breakerCap: {
    schema: duration(10, DAY),
    fallback: '5m',
    value: 'TIME',
    description: 'longest time that it stays open',
  },
  poisonAfter: {
    schema: whole(1, 1_000),
    fallback: 3,
    value: 'N',
    description:
      'workers that died in a row on a recipient before it is set aside, and then on it alone before it is given up',
  },
  policyThreshold: {
    schema: whole(1, 10_000),
    fallback: 10,
    value: 'N',
    description: 'consecutive policy refusals (5.7.x) that say the relay refuses us, not the recipients',
  },

  heartbeat: {
    schema: duration(50, 60_000),
    fallback: '2s',
    value: 'TIME',
    description: 'time between two heartbeats to a peer',
  },
  suspectAfter: {
    schema: whole(1, 100),
    fallback: 2,
    value: 'N',
    description: 'missed heartbeats that make a peer suspect',
  },
  deadAfter: {
    schema: whole(2, 1_000),
    fallback: 4,
    value: 'N',
    description: 'missed heartbeats that make a peer dead',
  },
  borrowAbove: {
    schema: duration(10, HOUR),
    fallback: '5s',
    value: 'TIME',
    description: 'backlog, in time to drain it, above which workers are borrowed',
  },
  returnBelow: {
    schema: duration(0, HOUR),
    fallback: '1s',
    value: 'TIME',
    description: 'backlog below which they are returned',
  },
  keepHome: { schema: whole(0, 10_000), fallback: 1, value: 'N', description: 'workers that are never lent' },
  minLoan: {
    schema: duration(0, HOUR),
    fallback: '3s',
    value: 'TIME',
    description: 'shortest loan, unless there is no work for it',
  },
  maxLoan: { schema: duration(1_000, DAY), fallback: '10m', value: 'TIME', description: 'longest loan' },

  drain: {
    schema: duration(0, HOUR),
    fallback: '25s',
    value: 'TIME',
    description: 'how long a stop waits for its workers to finish or hand back',
  },
  logLevel: LOG_LEVEL,
  logFile: {
    schema: z.string().min(1),
    value: 'FILE',
    description: 'rotated log file, or none; default: logs/server.log in the data folder',
  },
} as const satisfies Record<string, Setting>;

export type ServerSettings = Loaded<typeof SERVER_SETTINGS>;

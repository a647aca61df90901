import { z } from 'zod';
import { Load } from '../protocol/index.ts';
import { count, duration, oneLine, perSecond } from './format.ts';
import { type TableColumn, table } from './table.ts';

/** Characters of a relay's last fault. */
const FAULT_CHARS = 60;

const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);

const RelayFacts = z.object({
  name: text,
  host: text,
  port: number,
  breaker: text,
  sent: number,
  faults: number,
  lastFault: text,
});
const PeerFacts = z.object({ address: text, state: text, load: Load.optional().catch(undefined) });
const AsideFacts = z.object({ batch: z.string(), recipients: z.number() });
const MeshFacts = z.object({
  peers: z.array(PeerFacts).catch([]),
  lent: z.array(z.unknown()).catch([]),
  borrowed: z.array(z.unknown()).catch([]),
});

const OwnerFacts = z.object({
  adopted: z.number().catch(0),
  fenced: z.number().catch(0),
  servers: z.array(z.object({ live: z.boolean().optional() })).catch([]),
});

/** A server's account of itself, as far as it is understood: other versions may tell more or less. */
const ServerFacts = z.object({
  uuid: text,
  version: text,
  state: text,
  health: z.array(z.object({ text: z.string(), down: z.boolean().optional() })).catch([]),
  uptimeS: number,
  backlog: number,
  ready: number,
  sending: number,
  rate: number,
  workersTotal: number,
  workers: z.array(z.object({ idle: z.boolean().optional() })).catch([]),
  setAside: z.array(AsideFacts).catch([]),
  owner: OwnerFacts.optional().catch(undefined),
  relays: z.array(RelayFacts).catch([]),
  mesh: MeshFacts.catch({ peers: [], lent: [], borrowed: [] }),
});
type ServerFacts = z.infer<typeof ServerFacts>;

/** A server for people: what it is doing, with whom, over which relays. */
export function serverOverview(address: string, account: Readonly<Record<string, unknown>>): string {
  const server = ServerFacts.parse(account);
  const paragraphs = [
    [
      title(address, server),
      backlogLine(server),
      workersLine(server),
      ...storeLine(server),
      ...asideLine(server),
    ].join('\n'),
  ];
  if (server.health.length > 0) paragraphs.push(server.health.map(conditionLine).join('\n'));
  if (server.relays.length > 0) paragraphs.push(table(RELAY_COLUMNS, server.relays.map(relayRow)));
  if (server.mesh.peers.length > 0) paragraphs.push(table(PEER_COLUMNS, server.mesh.peers.map(peerRow)));
  return paragraphs.join('\n\n');
}

function title(address: string, { state, version, uptimeS }: ServerFacts): string {
  const facts = [
    ...(state === undefined ? [] : [oneLine(state)]),
    ...(uptimeS === undefined ? [] : [`up ${duration(uptimeS)}`]),
    ...(version === undefined ? [] : [`version ${oneLine(version)}`]),
  ];
  return `server ${address}  ${facts.join(', ')}`.trimEnd();
}

function backlogLine({ backlog = 0, ready = 0, sending = 0, rate = 0 }: ServerFacts): string {
  const parts = [`${count(backlog)} waiting`, `${count(ready)} ready`, `${count(sending)} being sent`];
  if (rate > 0) parts.push(perSecond(rate));
  return `  mail     ${parts.join(', ')}`;
}

function workersLine({ workers, workersTotal, mesh }: ServerFacts): string {
  const parts = [`${count(workersTotal ?? workers.length)} connected`];
  const idle = workers.filter((worker) => worker.idle === true).length;
  if (idle > 0) parts.push(`${count(idle)} idle`);
  if (mesh.borrowed.length > 0) parts.push(`${count(mesh.borrowed.length)} borrowed`);
  if (mesh.lent.length > 0) parts.push(`${count(mesh.lent.length)} lent`);
  return `  workers  ${parts.join(', ')}`;
}

function conditionLine({ text, down }: ServerFacts['health'][number]): string {
  return `  ${down === true ? 'DOWN' : 'NOTE'}     ${oneLine(text)}`;
}

/** Where other servers use the store too. */
function storeLine({ owner }: ServerFacts): string[] {
  if (owner === undefined) return [];
  const live = owner.servers.filter((one) => one.live === true).length;
  const parts = [`shared by ${count(live)} live ${live === 1 ? 'server' : 'servers'}`];
  if (owner.adopted > 0) parts.push(`${count(owner.adopted)} batches adopted from others`);
  if (owner.fenced > 0) parts.push(`${count(owner.fenced)} batches adopted by others`);
  return [`  store    ${parts.join(', ')}`];
}

function asideLine({ setAside }: ServerFacts): string[] {
  if (setAside.length === 0) return [];
  const batches = setAside.map(({ batch, recipients }) => {
    return `${count(recipients)} ${recipients === 1 ? 'recipient' : 'recipients'} of batch ${oneLine(batch)}`;
  });
  return [`  set aside  ${batches.join(', ')}: workers died on them, they are tried apart`];
}

const RELAY_COLUMNS: readonly TableColumn[] = [
  { title: 'RELAY' },
  { title: 'ADDRESS' },
  { title: 'BREAKER' },
  { title: 'SENT', align: 'right' },
  { title: 'FAULTS', align: 'right' },
  { title: 'LAST FAULT' },
];

function relayRow({
  name,
  host,
  port,
  breaker,
  sent,
  faults,
  lastFault,
}: z.infer<typeof RelayFacts>): string[] {
  return [
    oneLine(name ?? '-'),
    oneLine(`${host ?? '?'}:${port ?? '?'}`),
    oneLine(breaker ?? '-'),
    count(sent ?? 0),
    count(faults ?? 0),
    oneLine(lastFault ?? '', FAULT_CHARS),
  ];
}

const PEER_COLUMNS: readonly TableColumn[] = [
  { title: 'PEER' },
  { title: 'STATE' },
  { title: 'READY', align: 'right' },
  { title: 'WORKERS', align: 'right' },
  { title: 'IDLE', align: 'right' },
  { title: 'RATE', align: 'right' },
];

function peerRow({ address, state, load }: z.infer<typeof PeerFacts>): string[] {
  const figures =
    load === undefined
      ? ['-', '-', '-', '-']
      : [count(load.READY), count(load.WORKERS), count(load.IDLE), perSecond(load.RATE)];
  return [oneLine(address ?? '-'), oneLine(state ?? '-'), ...figures];
}

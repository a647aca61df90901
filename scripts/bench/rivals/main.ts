/** The process of a rival: `main.ts NAME HOST PORT CONNECTIONS [DKIM]`. Takes loads from its parent, answers the seconds each took. */
import type { Load, Relay } from '../contenders/contender.ts';
import { connectionSender } from './connection.ts';
import { type PoolDkim, poolSender } from './pool.ts';

export type RivalName = 'nodemailer-pool' | 'nodemailer-connection';

/** Makes what sends loads; that rejects when a mail is refused. */
type OpenSender = (relay: Relay, connections: number, dkim?: PoolDkim) => (load: Load) => Promise<void>;

const RIVALS: Readonly<Record<RivalName, OpenSender>> = {
  'nodemailer-pool': poolSender,
  'nodemailer-connection': connectionSender,
};

const [name, host = '', port, connections, dkim] = process.argv.slice(2);
const send = RIVALS[name as RivalName](
  { host, port: Number(port) },
  Number(connections),
  dkim === undefined ? undefined : (JSON.parse(dkim) as PoolDkim),
);

process.on('message', (load: Load) => void round(load));
process.send?.('ready');

async function round(load: Load): Promise<void> {
  const startedAt = performance.now();
  await send(load);
  process.send?.((performance.now() - startedAt) / 1000);
}

/** The process of a rival: `main.ts NAME HOST PORT CONNECTIONS`. Takes loads from its parent, answers the seconds each took. */
import type { Load, Relay } from '../contender.ts';
import { sendByConnections } from './connection.ts';
import { sendByPool } from './pool.ts';

export type RivalName = 'nodemailer-pool' | 'nodemailer-connection';

/** Sends the load; rejects when a mail is refused. */
export type Send = (load: Load, relay: Relay, connections: number) => Promise<void>;

const RIVALS: Readonly<Record<RivalName, Send>> = {
  'nodemailer-pool': sendByPool,
  'nodemailer-connection': sendByConnections,
};

const [name, host = '', port, connections] = process.argv.slice(2);
const send = RIVALS[name as RivalName];

process.on('message', (load: Load) => void round(load));
process.send?.('ready');

async function round(load: Load): Promise<void> {
  const startedAt = performance.now();
  await send(load, { host, port: Number(port) }, Number(connections));
  process.send?.((performance.now() - startedAt) / 1000);
}

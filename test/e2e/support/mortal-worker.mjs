// A worker made as examples/minimal-worker.mjs is, which says of each recipient how it fared, and dies of some: when an
// address begins with "deadly" its process ends without a word before that mail goes out.
//   node test/e2e/support/mortal-worker.mjs ws://127.0.0.1:8765 name
import { createTransport } from 'nodemailer';
import { WebSocket } from 'ws';

const [server, name] = process.argv.slice(2);
const SELF = {
  WORKER: 'ALIVE',
  WORKER_UUID: `${name}-${process.pid}`,
  PROTOCOL: 1,
  CONNECTIONS: 1,
  IN_FLIGHT: 4,
};

const socket = new WebSocket(server);
const say = (message) => socket.send(JSON.stringify(message));
const acks = [];
const acknowledged = () => new Promise((resolve) => acks.push(resolve));

async function send({ TASK_UUID, MESSAGE, RELAY, RECIPIENTS }) {
  const relay = createTransport({ host: RELAY.HOST, port: RELAY.PORT, pool: true, maxConnections: 1 });
  for (const { SEQ, ADDRESS, MESSAGE_ID } of RECIPIENTS) {
    if (ADDRESS.startsWith('deadly')) process.exit(1);
    await relay.sendMail({
      from: MESSAGE.FROM,
      to: ADDRESS,
      subject: 'Hello',
      text: 'Hello',
      messageId: MESSAGE_ID,
    });
    say({ STATUS: 'OK', TASK: 'SEND', TASK_UUID, SENT: [[SEQ, SEQ]] });
    await acknowledged();
  }
  relay.close();
  say({ ...SELF, TASKS: [], SLOTS: 1 });
}

socket.on('open', () => {
  say({ ...SELF, TASKS: [], SLOTS: 1 });
  process.stderr.write(`${JSON.stringify({ msg: 'connected' })}\n`);
});
socket.on('message', (data) => {
  const message = JSON.parse(data);
  if (message.TASK === 'SEND') void send(message);
  else if (message.TASK === 'NO_TASK') say({ ...SELF, TASKS: [], SLOTS: 1 });
  else if (message.STATUS === 'ACK') acks.shift()?.();
});
socket.on('close', () => process.exit(0));

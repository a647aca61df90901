// The smallest worker: says ALIVE, gets a task, sends it, says OK or NOK, waits for the ACK, says ALIVE again.
// It shows all that a worker in any language needs to know; nothing of Mutirão is imported.
//   node examples/minimal-worker.mjs ws://127.0.0.1:8765 [token]
// Its NOK speaks for the whole task, so what went out before the failure goes out again. A better worker says in RESULTS
// how each recipient fared: docs/PROTOCOL.md.
import { createTransport } from 'nodemailer';
import { WebSocket } from 'ws';

const [server = 'ws://127.0.0.1:8765', TOKEN] = process.argv.slice(2);

const fill = (template, variables, write = (text) => text) =>
  template?.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) =>
    write(Object.hasOwn(variables, name) ? String(variables[name]) : ''),
  );
const escapeHtml = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

async function send({ MESSAGE, RELAY, RECIPIENTS, DATE }) {
  const auth = RELAY.USER && { user: RELAY.USER, pass: RELAY.PASS };
  const relay = createTransport({
    host: RELAY.HOST,
    port: RELAY.PORT,
    secure: RELAY.SECURE,
    auth,
    pool: true,
  });
  try {
    for (const { ADDRESS, NAME = '', VARIABLES, MESSAGE_ID } of RECIPIENTS) {
      const variables = { email: ADDRESS, name: NAME, ...VARIABLES };
      await relay.sendMail({
        from: MESSAGE.FROM,
        to: { name: NAME, address: ADDRESS },
        subject: fill(MESSAGE.SUBJECT, variables),
        text: fill(MESSAGE.TEXT, variables),
        html: fill(MESSAGE.HTML, variables, escapeHtml),
        messageId: MESSAGE_ID,
        date: DATE,
      });
    }
  } finally {
    relay.close();
  }
}

function work() {
  const socket = new WebSocket(server);
  const say = (message) => socket.send(JSON.stringify(message));
  socket.on('open', () => say({ WORKER: 'ALIVE', TOKEN }));
  socket.on('message', async (data) => {
    const { TASK, TASK_UUID, STATUS, ERROR, ...task } = JSON.parse(data);
    if (TASK === 'SEND') {
      const failure = await send(task).then(() => undefined, String);
      say({ STATUS: failure ? 'NOK' : 'OK', ERROR: failure?.slice(0, 1000), TASK, TASK_UUID });
    } else if (TASK === 'NO_TASK' || STATUS === 'ACK') say({ WORKER: 'ALIVE', TOKEN });
    else console.error(ERROR ?? TASK);
  });
  socket.on('error', (error) => console.error(error.message));
  socket.on('close', () => setTimeout(work, 1000));
}

work();

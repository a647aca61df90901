import type { MessageEntry } from '../../protocol/index.ts';
import { messagesOf } from './asyncapi.ts';
import { fieldsOf } from './fields.ts';
import { wireLimits } from './limits.ts';
import { code, generatedFrom, table } from './markdown.ts';
import { schemaOf } from './schemas.ts';

const INTRODUCTION = `# The protocol

JSON over WebSocket, one object per text frame, on the same port as HTTP. Keys are UPPER_SNAKE. Unknown keys are
ignored, so that old and new versions can talk; \`PROTOCOL\` carries the version. The first message of a connection
decides which conversation it is: with a worker, a peer or a client.

Every message is described three times from one source: here, as JSON Schema in [schemas/](schemas/) and as the
AsyncAPI document [asyncapi.json](asyncapi.json).

A frame that is not understood is answered with \`NACK\`, which names the wrong key. After a few of them the server
closes the connection (1008).

## The shortest worker

\`\`\`
→ {"WORKER":"ALIVE"}
← {"TASK":"SEND","TASK_UUID":"…","MESSAGE":{…},"RELAY":{…},"RECIPIENTS":[…]}
→ {"STATUS":"OK","TASK":"SEND","TASK_UUID":"…"}
← {"STATUS":"ACK","TASK_UUID":"…"}
\`\`\`

\`"STATUS":"NOK"\` puts all recipients of the task back for later. Everything else is optional:
[examples/minimal-worker.mjs](../examples/minimal-worker.mjs).

## The shortest peer

\`\`\`
→ {"SERVER":"ALIVE","TASK":"REQUEST"}
← {"SERVER":"ALIVE","TASK":"RECIEVE"}
\`\`\`

or, in the other dialect, \`{"SERVER_UUID":"…","TASK":"HEARTBEAT"}\`, answered by the same with \`"RESPONSE":"ALIVE"\`.
`;

/** docs/PROTOCOL.md. */
export function protocolPage(): string {
  return [
    generatedFrom('protocol/'),
    INTRODUCTION,
    section('Worker ↔ server', 'worker', { in: 'worker → server', out: 'server → worker', both: '' }),
    section('Server ↔ server', 'peer', { in: '', out: '', both: 'either way' }),
    section('Client ↔ server', 'client', { in: 'client → server', out: 'server → client', both: '' }),
    '## Any conversation\n',
    ...messagesOf('worker')
      .filter(({ conversation }) => conversation === 'any')
      .map((message) => chapter(message, 'server → anyone')),
    limitsSection(),
  ].join('\n');
}

function section(
  title: string,
  conversation: 'worker' | 'peer' | 'client',
  ways: Readonly<Record<MessageEntry['direction'], string>>,
): string {
  const messages = messagesOf(conversation).filter((message) => message.conversation === conversation);
  const overview = table(
    ['message', 'way', 'meaning'],
    messages.map((message) => [
      `[${message.title}](#${message.id})`,
      ways[message.direction],
      message.description,
    ]),
  );
  const chapters = messages.map((message) => chapter(message, ways[message.direction]));
  return [`## ${title}\n`, `${overview}\n`, ...chapters].join('\n');
}

function chapter(message: MessageEntry, way: string): string {
  const rows = fieldsOf(schemaOf(message)).map(({ path, type, isRequired, description }) => [
    code(path),
    isRequired ? type : `*${type}*`,
    description,
  ]);
  return `<a id="${message.id}"></a>

### ${message.title}

${way}. ${message.description} Schema: [${message.id}.json](schemas/${message.id}.json).

\`\`\`json
${JSON.stringify(message.example)}
\`\`\`

${table(['key', 'value (*optional*)', 'meaning'], rows)}
`;
}

function limitsSection(): string {
  return `## Limits

${table(
  ['limit', 'value', 'what it bounds, and its unit'],
  wireLimits().map(({ name, value, why }) => [code(name), value.toLocaleString('en'), why]),
)}
`;
}

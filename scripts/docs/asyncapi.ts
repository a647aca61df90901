import { MESSAGES, type MessageEntry, PROTOCOL_VERSION } from '../../protocol/index.ts';

/** What each conversation is about, and what its two sides are called. */
const CHANNELS = {
  worker: { title: 'Worker ↔ server', other: 'worker' },
  peer: { title: 'Server ↔ server', other: 'peer' },
  client: { title: 'Client ↔ server', other: 'client' },
} as const;

type Channel = keyof typeof CHANNELS;

/** The wire as an AsyncAPI 3.0 document, from the point of view of a server. */
export function asyncApi(): object {
  const channels = Object.keys(CHANNELS) as Channel[];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Mutirão',
      version: `${PROTOCOL_VERSION}.0.0`,
      description:
        'JSON over WebSocket, one object per text frame, one port. The first message of a connection decides which conversation it is. Unknown keys are ignored.',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    defaultContentType: 'application/json',
    servers: {
      local: { host: '127.0.0.1:8765', protocol: 'ws', description: 'A server with its default settings' },
    },
    channels: Object.fromEntries(channels.map((channel) => [channel, channelOf(channel)])),
    operations: Object.fromEntries(channels.flatMap(operationsOf)),
    components: { messages: Object.fromEntries(MESSAGES.map((message) => [message.id, messageOf(message)])) },
  };
}

/** The messages of one conversation, those of every conversation included. */
export function messagesOf(channel: Channel): MessageEntry[] {
  return MESSAGES.filter(({ conversation }) => conversation === channel || conversation === 'any');
}

function channelOf(channel: Channel): object {
  return {
    address: '/',
    title: CHANNELS[channel].title,
    messages: Object.fromEntries(
      messagesOf(channel).map(({ id }) => [id, { $ref: `#/components/messages/${id}` }]),
    ),
  };
}

function operationsOf(channel: Channel): [string, object][] {
  const operation = (action: 'receive' | 'send', directions: readonly string[]): object => ({
    action,
    channel: { $ref: `#/channels/${channel}` },
    messages: messagesOf(channel)
      .filter(({ direction }) => directions.includes(direction))
      .map(({ id }) => ({ $ref: `#/channels/${channel}/messages/${id}` })),
  });
  const { other } = CHANNELS[channel];
  const name = `${other[0]?.toUpperCase()}${other.slice(1)}`;
  return [
    [`receiveFrom${name}`, operation('receive', ['in', 'both'])],
    [`sendTo${name}`, operation('send', ['out', 'both'])],
  ];
}

function messageOf({ id, title, description, example }: MessageEntry): object {
  return {
    name: id,
    title,
    summary: description,
    payload: { $ref: `./schemas/${id}.json` },
    examples: [{ payload: example }],
  };
}

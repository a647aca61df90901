import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface SmtpScript {
  /** First line; '' says nothing. */
  readonly greeting?: string;
  /** Reply to a line, 'drop' to cut the connection, '' to say nothing; undefined: behave. */
  readonly on?: (line: string, connection: number) => string | undefined;
  readonly extensions?: readonly string[];
  /** Cuts the connection when that much of a message has arrived, bytes. */
  readonly cutAfter?: number;
}

export interface ScriptedSmtp {
  readonly port: number;
  /** Commands of all connections and final dots, in order of arrival; message lines are left out. */
  readonly commands: string[];
  readonly connections: () => number;
  readonly open: () => number;
  stop(): Promise<void>;
}

/** A tiny SMTP server whose every reply can be replaced. Knows no TLS and no AUTH. */
export async function startSmtpScript(script: SmtpScript = {}): Promise<ScriptedSmtp> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const number = ++connections;
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const say = (text: string): void => {
      if (text !== '') socket.write(`${text}\r\n`);
    };
    say(script.greeting ?? '220 script ESMTP');
    let buffered = '';
    let inData = false;
    let bodyBytes = 0;
    socket.on('data', (chunk) => {
      buffered += chunk.toString('latin1');
      for (let at = buffered.indexOf('\r\n'); at >= 0; at = buffered.indexOf('\r\n')) {
        const line = buffered.slice(0, at);
        buffered = buffered.slice(at + 2);
        if (inData) bodyBytes += line.length;
        if (bodyBytes > (script.cutAfter ?? Number.POSITIVE_INFINITY)) {
          socket.destroy();
          return;
        }
        if (inData && line !== '.') continue;
        commands.push(line);
        const reply = script.on?.(line, number) ?? behave(line, script.extensions ?? ['PIPELINING']);
        if (reply === 'drop') {
          socket.destroy();
          return;
        }
        inData = line === 'DATA' && reply.startsWith('354');
        say(reply);
        if (line === 'QUIT') socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    connections: () => connections,
    open: () => sockets.size,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function behave(line: string, extensions: readonly string[]): string {
  if (line.startsWith('EHLO')) {
    const lines = ['script', ...extensions];
    return lines.map((text, i) => `250${i === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n');
  }
  if (line === 'DATA') return '354 go on';
  if (line === 'QUIT') return '221 bye';
  return '250 ok';
}

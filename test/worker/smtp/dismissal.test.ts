import { afterEach, describe, expect, test } from 'vitest';
import { Harness } from '../support/harness.ts';
import { people, taskOf } from '../support/tasks.ts';

const harness = new Harness();
afterEach(() => harness.clean());

/** A relay that refuses `no…`, and after some commands of a session says what `on` says, and closes. */
async function relayThat(on: (line: string, connection: number) => string | undefined): Promise<number> {
  const dismissed = new Set<number>();
  const smtp = await harness.smtp({
    extensions: ['PIPELINING'],
    on: (line, connection) => {
      if (dismissed.has(connection)) return 'drop';
      const reply = on(line, connection);
      if (reply !== undefined) dismissed.add(connection);
      else if (line.startsWith('RCPT TO:<no')) return '550 5.1.1 no such person';
      return reply;
    },
  });
  return smtp.port;
}

describe('a relay that ends a session in its midst', () => {
  test.each([
    ['554 Too many nonmail commands', 'RSET'],
    ['421 4.7.0 too many errors', 'RSET'],
    ['421 too many messages in this connection', 'MAIL'],
  ])(
    'with %j to %s delays nobody: what it has not looked at goes over another one',
    async (reply, command) => {
      let seen = 0;
      const port = await relayThat((line, connection) =>
        connection === 1 && line.startsWith(command) && ++seen > 1 ? reply : undefined,
      );
      const server = await harness.server();
      harness.worker([server.url], { connections: 1 });
      const visit = await server.visit();
      await visit.alive();
      visit.send(taskOf('t', port, [...people(5, 'no'), ...people(10)]));
      await visit.done('t');
      expect(visit.results.map((result) => result.REPLY)).toEqual(Array(5).fill('550 5.1.1 no such person'));
      expect(visit.sent.length).toBe(10);
      expect(visit.returned).toEqual([]);
    },
  );
});

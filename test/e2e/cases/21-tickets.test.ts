import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { signTicket, type TicketClaims, ticketKey } from '../../../server/mesh/ticket.ts';
import { JsonSocket } from '../../support/socket.ts';
import { everyoneHome, LARGE } from '../support/mesh.ts';
import { portOf, proxyTo } from '../support/proxy.ts';
import { expectExactlyOnce, Town } from '../support/town.ts';
import type { TownServer } from '../support/town-server.ts';

const TOKEN = 'token-of-the-mesh';
const KEY = ticketKey(TOKEN);
const WORKER = 'worker-of-another';
const HOME = randomUUID();

/** A server behind tokens with mail that it would give to any worker, and what a good ticket for it says. */
async function borrower(): Promise<{ readonly server: TownServer; readonly claims: TicketClaims }> {
  const town = await Town.raise();
  await town.sink();
  const server = await town.server({
    args: ['--token-mesh', TOKEN, '--token-worker', 'token-of-workers'],
  });
  await town.submit(server, 100);
  const now = Date.now();
  const claims = {
    loan: randomUUID(),
    worker: WORKER,
    home: HOME,
    homeAddress: { IP: '127.0.0.1', PORT: portOf(server.url) },
    borrower: (await server.account()).uuid,
    issuedAt: now,
    connectBy: now + 60_000,
    lendUntil: now + 120_000,
  };
  return { server, claims };
}

/** Shows a ticket. @returns the code of the refusal and of the close, or the word it was let in with */
async function show({ url }: TownServer, ticket: string | undefined, worker = WORKER) {
  const socket = await JsonSocket.open(url);
  const TICKET = ticket === undefined ? {} : { TICKET: ticket };
  const alive = { WORKER: 'ALIVE', WORKER_UUID: worker, SERVER_UUID: HOME, PROTOCOL: 1, SLOTS: 1, TASKS: [] };
  socket.send({ ...alive, ...TICKET });
  const answer = await socket.next();
  if (answer.STATUS !== 'NACK') return { socket, word: answer.TASK };
  return { socket, refused: answer.ERROR?.CODE, closed: (await socket.closed()).code };
}

describe('case 21: a worker that says it is borrowed', { timeout: 60_000 }, () => {
  test('case 21: is refused, and gets no mail, with no ticket or one that is forged, expired, or for another', async () => {
    const { server, claims } = await borrower();
    const good = signTicket(claims, KEY);
    const [version, payload = '', mac = ''] = good.split('.');
    const past = Date.now() - 60_000;
    const longer = Buffer.from(payload, 'base64url')
      .toString()
      .replace(String(claims.lendUntil), '9999999999999');
    const cases: Record<string, readonly [ticket: string | undefined, reason: string]> = {
      none: [undefined, 'TICKET_MISSING'],
      nonsense: ['nonsense', 'TICKET_FORGED'],
      'signed with another key': [signTicket(claims, ticketKey('another-token')), 'TICKET_FORGED'],
      'signed without a token': [signTicket(claims, ticketKey(undefined)), 'TICKET_FORGED'],
      'with a longer time written in': [
        [version, Buffer.from(longer).toString('base64url'), mac].join('.'),
        'TICKET_FORGED',
      ],
      'with a letter of its signature changed': [
        [version, payload, mac.startsWith('A') ? `B${mac.slice(1)}` : `A${mac.slice(1)}`].join('.'),
        'TICKET_FORGED',
      ],
      expired: [signTicket({ ...claims, connectBy: past, lendUntil: past }, KEY), 'TICKET_EXPIRED'],
      'shown first too late': [signTicket({ ...claims, connectBy: past }, KEY), 'TICKET_EXPIRED'],
      'for another worker': [signTicket({ ...claims, worker: 'w' }, KEY), 'TICKET_FOR_ANOTHER_WORKER'],
      'for another borrower': [
        signTicket({ ...claims, borrower: randomUUID() }, KEY),
        'TICKET_FOR_ANOTHER_SERVER',
      ],
    };
    for (const [what, [ticket, reason]] of Object.entries(cases)) {
      const { refused, closed } = await show(server, ticket);
      expect({ what, refused, closed }).toEqual({ what, refused: reason, closed: expect.any(Number) });
    }
    const { workersTotal, mesh, sending } = await server.account();
    expect({ workersTotal, borrowed: mesh.borrowed, sending }).toEqual({
      workersTotal: 0,
      borrowed: [],
      sending: 0,
    });
    // and the good one is let in, so that it was the ticket that was wrong
    expect((await show(server, good)).word).toBe('SEND');
  });

  test('case 21: that shows a ticket which is in use takes the place of the first; shown by another name it is refused', async () => {
    const { server, claims } = await borrower();
    const ticket = signTicket(claims, KEY);
    const first = await show(server, ticket);
    expect(first.word).toBe('SEND');
    expect(await show(server, ticket, 'somebody')).toMatchObject({ refused: 'TICKET_FOR_ANOTHER_WORKER' });
    expect((await show(server, ticket)).refused).toBeUndefined();
    expect((await first.socket.closed()).code).toBe(4409);
    expect((await server.account()).workersTotal).toBe(1);
  });
});

describe('case 21: a ticket of a loan that is over', { timeout: 60_000 }, () => {
  test('case 21: recorded on the line, and shown again by somebody else, is refused', async () => {
    const town = await Town.raise();
    await town.sink({ latencyMs: 20 });
    const busy = await town.server();
    const lender = await town.server({ args: ['--peer', busy.url, '--keep-home', '0'] });
    let heard = '';
    const line = await proxyTo(portOf(lender.url), () => ({
      fromCaller: () => true,
      fromCalled: (bytes) => {
        heard += bytes.toString('latin1');
        return true;
      },
      ended: () => {},
    }));
    const few = ['--connections', '5'];
    await town.worker(busy, few);
    const lent = town.startWorker(['--server', `ws://127.0.0.1:${line.port}`, ...few]);
    await lent.logged('connected');
    await lender.until('it sees its peer', ({ mesh: { peers } }) => peers[0]?.state === 'alive');
    const batch = await town.submit(busy, LARGE);
    await busy.until('it borrows', ({ mesh }) => mesh.borrowed.some(({ state }) => state === 'here'));
    expect((await town.finished(batch)).counts.sent).toBe(LARGE);
    await everyoneHome([busy, lender]);

    const ticket = /"TICKET":"([^"]+)"/.exec(heard)?.[1] ?? '';
    const payload = Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString();
    const { w: worker } = JSON.parse(payload) as { w: string };
    expect(await show(busy, ticket, worker)).toMatchObject({ refused: 'TICKET_OF_ENDED_LOAN' });
    expectExactlyOnce(await town.account(batch));
  });
});

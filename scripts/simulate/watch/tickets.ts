import { Process } from '../engine/process.ts';
import type { VirtualSocket } from '../network/virtual-socket.ts';
import type { ServerRun } from '../town/server-node.ts';
import type { Town } from '../town/town.ts';

/** Somebody without a right is refused or waited for no longer than this, ms. */
const ANSWER_WITHIN_MS = 10_000;

interface SeenTicket {
  readonly loan: string;
  /** The ALIVE that it was shown with. */
  readonly alive: string;
  readonly borrower: string;
}

/** The tickets that went over the network, for one who listened there and shows them again. */
export class Tickets {
  readonly #seen = new Map<string, SeenTicket>();
  /** Loans that a run of a borrower has ended. */
  readonly #ended = new Map<string, ServerRun | undefined>();

  seen(socket: VirtualSocket, text: string): void {
    const message = JSON.parse(text) as { WORKER?: string; TICKET?: string };
    if (message.WORKER !== 'ALIVE' || message.TICKET === undefined) return;
    const loan = loanOf(message.TICKET);
    this.#seen.set(loan, { loan, alive: text, borrower: socket.peer });
  }

  ended(loan: string, run: ServerRun | undefined): void {
    this.#ended.set(loan, run);
  }

  /** Shows a ticket again whose loan has ended at a borrower that remembers it. @param admitted it was let in with it */
  replay(
    town: Town,
    pick: (from: readonly SeenTicket[]) => SeenTicket,
    admitted: (loan: string, server: string) => void,
  ): void {
    const usable = [...this.#seen.values()].filter(({ loan, borrower }) => {
      const server = town.servers.find(({ host }) => host === borrower);
      return server?.run !== undefined && this.#ended.get(loan) === server.run;
    });
    if (usable.length === 0) return;
    const { loan, alive, borrower } = pick(usable);
    const server = town.servers.find(({ host }) => host === borrower);
    if (server === undefined) return;
    const ghost = new Process('ghost', 'ghost', town.events, town.ghostChance);
    const socket = town.network.connect(ghost, server.url, undefined, ANSWER_WITHIN_MS);
    const run = server.run;
    socket.on('open', () => socket.send(alive));
    socket.on('message', (data: Buffer) => {
      const { TASK } = JSON.parse(data.toString()) as { TASK?: string };
      if (TASK !== undefined && server.run === run) admitted(loan, server.name);
      socket.terminate();
    });
    socket.on('error', () => {});
    ghost.setTimer(() => socket.terminate(), ANSWER_WITHIN_MS);
  }
}

function loanOf(ticket: string): string {
  const body = Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString();
  return (JSON.parse(body) as { l: string }).l;
}

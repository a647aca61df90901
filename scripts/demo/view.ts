import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import type { Batch } from '../../client/index.ts';
import type { ServerState } from './observation.ts';

/** Between two lines about the state where there is no terminal, ms. */
const PLAIN_EVERY_MS = 2_000;
const BAR_WIDTH = 40;

export interface Frame {
  readonly seconds: number;
  readonly servers: readonly (ServerState | undefined)[];
  readonly batches: readonly { readonly name: string; readonly batch: Batch | undefined }[];
}

/** Shows the demo: a live picture on a terminal, plain lines elsewhere. Events stay, the picture changes below them. */
export class View {
  readonly #isTerminal: boolean;
  readonly #out: NodeJS.WriteStream;
  readonly #live: ReturnType<typeof createLogUpdate>;
  #plainAt = 0;
  #last = '';

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#isTerminal = out.isTTY === true;
    this.#live = createLogUpdate(out);
  }

  event(seconds: number, text: string): void {
    const line = `${time(seconds)} ${text}`;
    if (!this.#isTerminal) this.#out.write(`${line}\n`);
    else {
      this.#live.clear();
      this.#out.write(`${line}\n`);
      this.#live(this.#last);
    }
  }

  frame(frame: Frame): void {
    if (this.#isTerminal) {
      this.#last = `\n${[...tableOf(frame), '', ...barsOf(frame)].join('\n')}\n`;
      this.#live(this.#last);
    } else if (frame.seconds * 1000 >= this.#plainAt) {
      this.#plainAt = frame.seconds * 1000 + PLAIN_EVERY_MS;
      for (const line of [...tableOf(frame).slice(1), ...barsOf(frame)])
        this.#out.write(`${time(frame.seconds)} ${line}\n`);
    }
  }

  /** The picture stays as it is. */
  end(): void {
    if (this.#isTerminal) this.#live.done();
  }

  line(text = ''): void {
    this.#out.write(`${text}\n`);
  }
}

const time = (seconds: number): string => styleText('dim', `${seconds.toFixed(1).padStart(5)} s`);

function tableOf({ servers }: Frame): string[] {
  const head = `${'server'.padEnd(9)}${'backlog'.padStart(9)}${'sending'.padStart(9)}${'mails/s'.padStart(9)}${'workers'.padStart(9)}${'lent'.padStart(6)}${'borrowed'.padStart(10)}  breakers`;
  return [
    styleText('bold', head),
    ...servers.map((state, index) => {
      const name = `server ${index + 1}`.padEnd(9);
      if (state === undefined) return `${name} does not answer`;
      const { backlog, sending, rate, workersTotal, mesh, relays } = state;
      const numbers = [
        String(backlog).padStart(9),
        String(sending).padStart(9),
        String(rate).padStart(9),
        String(workersTotal).padStart(9),
        String(mesh.lent.length).padStart(6),
        String(mesh.borrowed.length).padStart(10),
      ];
      return `${name}${numbers.join('')}  ${relays.map(breakerOf).join('  ')}`;
    }),
  ];
}

function breakerOf({ name, breaker }: { name: string; breaker: string }): string {
  return styleText(
    breaker === 'closed' ? 'green' : breaker === 'open' ? 'red' : 'yellow',
    `${name} ${breaker}`,
  );
}

function barsOf({ batches }: Frame): string[] {
  return batches.map(({ name, batch }) => {
    if (batch === undefined) return `${name}: being submitted`;
    const { total, sent, failed, deferred } = batch.counts;
    const done = Math.floor(((sent + failed) / total) * BAR_WIDTH);
    const bar = `${styleText('green', '█'.repeat(done))}${styleText('dim', '░'.repeat(BAR_WIDTH - done))}`;
    return `${name} ${bar} ${sent}/${total} sent, ${failed} failed, ${deferred} deferred`;
  });
}

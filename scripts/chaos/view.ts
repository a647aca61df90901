import { createLogUpdate } from 'log-update';

/** What a run looks like at a moment. */
export interface Moment {
  readonly seconds: number;
  readonly of: number;
  readonly faults: number;
  readonly submitted: number;
  readonly sent: number;
  readonly failed: number;
  readonly unknown: number;
  readonly waiting: number;
  /** Processes that are there, of all. */
  readonly running: string;
  /** Faults since the last moment that was shown; afterwards, what is waited for. */
  readonly lately: readonly string[];
}

/** Shows a run: on a terminal a picture that changes below the faults, elsewhere a line a second. */
export class View {
  readonly #out: NodeJS.WriteStream;
  readonly #live: ReturnType<typeof createLogUpdate>;
  readonly #isTerminal: boolean;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#isTerminal = out.isTTY === true;
    this.#live = createLogUpdate(out);
  }

  line(text = ''): void {
    if (this.#isTerminal) this.#live.clear();
    this.#out.write(`${text}\n`);
  }

  moment(moment: Moment): void {
    const { seconds, lately } = moment;
    const time = `${seconds.toFixed(0).padStart(4)} s`;
    const figures = figuresOf(moment);
    if (!this.#isTerminal) {
      this.#out.write(`${time}  ${figures.join(', ')}${lately.length > 0 ? `; ${lately.join('; ')}` : ''}\n`);
      return;
    }
    this.#live.clear();
    for (const fault of lately) this.#out.write(`${time}  ${fault}\n`);
    this.#live(`\n${barOf(moment)}\n${figures.join(', ')}\n`);
  }

  /** The picture stays as it is. */
  end(): void {
    if (this.#isTerminal) this.#live.done();
  }
}

function figuresOf({ faults, submitted, sent, failed, unknown, waiting, running }: Moment): string[] {
  const count = (value: number): string => value.toLocaleString('en');
  return [
    `${count(faults)} faults`,
    `${running} processes`,
    `${count(submitted)} submitted`,
    `${count(sent)} sent`,
    `${count(failed)} failed`,
    `${count(unknown)} unknown`,
    `${count(waiting)} waiting`,
  ];
}

const BAR_WIDTH = 40;

function barOf({ seconds, of }: Moment): string {
  const done = Math.min(BAR_WIDTH, Math.floor((seconds / of) * BAR_WIDTH));
  const what =
    seconds < of ? `${seconds.toFixed(0)} of ${of} s` : `over since ${(seconds - of).toFixed(0)} s`;
  return `faults ${'█'.repeat(done)}${'░'.repeat(BAR_WIDTH - done)} ${what}`;
}

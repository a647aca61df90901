import type { Batch, UploadProgress } from '../../client/index.ts';
import { count, perSecond } from '../format.ts';
import { RateWindow } from './rate-window.ts';
import { bar, progressText, settled, waitingText } from './text.ts';

/** Time between two lines where there is no terminal, ms. */
const LINE_EVERY_MS = 3_000;
/** Time between two pictures on a terminal, ms. */
const PICTURE_EVERY_MS = 100;

/** Draws over what it drew before, or writes lines. */
export interface Canvas {
  /** Whether `draw` replaces the last picture. */
  readonly live: boolean;
  draw(text: string): void;
  /** A line that stays. */
  print(text: string): void;
  /** Leaves or removes the last picture. */
  end(): void;
}

/** Shows how far an upload and then a batch is: a bar on a terminal, elsewhere a line every few seconds. */
export class ProgressView {
  readonly #canvas: Canvas;
  readonly #now: () => number;
  readonly #uploadRate = new RateWindow();
  readonly #sendRate = new RateWindow();
  #drawnAt = Number.NEGATIVE_INFINITY;
  #drawn = '';
  #uploading = false;

  constructor(canvas: Canvas, now: () => number = () => performance.now()) {
    this.#canvas = canvas;
    this.#now = now;
  }

  upload({ rows, rejected }: UploadProgress): void {
    this.#uploading = true;
    this.#uploadRate.add(rows, this.#now());
    const rate = this.#uploadRate.perSecond;
    const parts = [`uploading: ${count(rows)} ${rows === 1 ? 'row' : 'rows'}`];
    if (rejected > 0) parts.push(`${count(rejected)} rejected`);
    if (rate !== undefined) parts.push(perSecond(rate));
    this.#draw(parts.join(' · '));
  }

  batch(batch: Batch): void {
    if (this.#uploading) this.#drawnAt = Number.NEGATIVE_INFINITY;
    this.#uploading = false;
    const done = settled(batch);
    this.#sendRate.add(done, this.#now());
    const text = progressText(batch, batch.rate ?? this.#sendRate.perSecond);
    const waiting = waitingText(batch);
    if (!this.#canvas.live) this.#draw(waiting === undefined ? text.trim() : `${text.trim()} · ${waiting}`);
    else this.#draw(`${bar(done, batch.counts.total)} ${text}${waiting === undefined ? '' : `\n${waiting}`}`);
  }

  /** Something that has happened: stays to be read. */
  note(text: string): void {
    this.#canvas.print(text);
  }

  end(): void {
    this.#canvas.end();
  }

  #draw(text: string): void {
    const now = this.#now();
    const every = this.#canvas.live ? PICTURE_EVERY_MS : LINE_EVERY_MS;
    if (text === this.#drawn || now - this.#drawnAt < every) return;
    this.#drawnAt = now;
    this.#drawn = text;
    this.#canvas.draw(text);
  }
}

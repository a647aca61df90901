import type { Step } from './contract.ts';

/** Gathers the steps that one chunk of input gives rise to; replies behind each other become one step. */
export class Script {
  #text = '';
  #steps: Step[] = [];

  say(reply: string): void {
    this.#text += reply;
  }

  add(step: Step): void {
    this.#endReply();
    this.#steps.push(step);
  }

  /** Everything since the last time. */
  take(): Step[] {
    this.#endReply();
    const steps = this.#steps;
    if (steps.length > 0) this.#steps = [];
    return steps;
  }

  #endReply(): void {
    if (this.#text === '') return;
    this.#steps.push({ do: 'reply', text: this.#text });
    this.#text = '';
  }
}

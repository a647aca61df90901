import type { TaskSend } from '../../protocol/index.ts';
import type { CompiledMessage, CompileMessage } from './contract.ts';

/** Messages kept ready: a worker has two tasks at a time, and small batches take turns. */
const MAX_MESSAGES = 8;

/** What is the same for all mails of a task. */
type Letter = Pick<TaskSend, 'MESSAGE' | 'DATE' | 'DKIM'>;

/** Composed messages by batch, the least recently used one is forgotten first. */
export class MessageCache {
  readonly #compile: CompileMessage;
  readonly #messages = new Map<string, Promise<CompiledMessage>>();

  constructor(compile: CompileMessage) {
    this.#compile = compile;
  }

  /** @param key names server and batch: within it the message never changes. */
  get(key: string, { MESSAGE, DATE, DKIM }: Letter): Promise<CompiledMessage> {
    const known = this.#messages.get(key);
    const compiled = known ?? this.#compile(MESSAGE, DATE, DKIM);
    this.#messages.delete(key);
    this.#messages.set(key, compiled);
    if (known === undefined) {
      // A failure is told to whoever waits for it, and tried anew for the next task.
      compiled.catch(() => {
        if (this.#messages.get(key) === compiled) this.#messages.delete(key);
      });
      const oldest = this.#messages.keys().next();
      if (this.#messages.size > MAX_MESSAGES && oldest.done !== true) this.#messages.delete(oldest.value);
    }
    return compiled;
  }
}

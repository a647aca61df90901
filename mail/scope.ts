import type { MessageRecipient } from './compiled-message.ts';
import type { Contexts } from './template-program.ts';

/** What a recipient's templates can name: `name` and `email` are the recipient's own, unless a variable is called so. */
export function contextsOf(recipient: MessageRecipient, address: string): Contexts {
  const own: Contexts = { value: { name: recipient.name, email: address }, outer: undefined };
  return recipient.variables === undefined ? own : { value: recipient.variables, outer: own };
}

import { compileMessage, dkimSigner, specOf, type TemplateVariables } from '../../mail/index.ts';
import type { Dkim, Message, TaskRecipient } from '../../protocol/index.ts';
import type { CompiledMessage, RenderedMessage } from './contract.ts';

/** Composes with `mail/`. Rejects with its MessageError or DkimError, which say what is wrong. */
export async function compose(message: Message, date: string, dkim?: Dkim): Promise<CompiledMessage> {
  const compiled = compileMessage(specOf(message));
  const from = compiled.from.address;
  const sentAt = new Date(date);
  const sign =
    dkim === undefined
      ? undefined
      : dkimSigner({ domain: dkim.DOMAIN, selector: dkim.SELECTOR, key: dkim.KEY });
  return {
    render(recipient: TaskRecipient): RenderedMessage {
      const { bytes, to } = compiled.render({
        address: recipient.ADDRESS,
        name: recipient.NAME,
        // JSON that the server has checked.
        variables: recipient.VARIABLES as TemplateVariables | undefined,
        messageId: recipient.MESSAGE_ID,
        date: sentAt,
      });
      return {
        envelope: { from, to },
        bytes: sign === undefined ? bytes : Buffer.concat([sign(bytes), bytes]),
      };
    },
  };
}

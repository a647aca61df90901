import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Load, Relay } from '../contenders/contender.ts';
import { type Letter, type Reader, readersOf } from '../letter.ts';
import { composeFor } from './compose.ts';

/** Values that stand in a composed message where a recipient's go; single words, so that no line is folded within one. */
const SLOTS: Reader & { readonly id: string } = {
  address: 'slotaddress@bench.example.net',
  first: 'slotfirst',
  city: 'slotcity',
  code: 'slotcode',
  id: 'slotid',
};

/**
 * nodemailer's SMTP client without the rest of it: the message is composed once, and what belongs to a recipient is put into
 * the finished text. That is right for these plain values only (no encoding, no folding): the cost of SMTP, and no more.
 */
export function connectionSender(relay: Relay, connections: number): (load: Load) => Promise<void> {
  return async ({ mails, letter }) => {
    const composed = await compose(letter);
    const readers = readersOf(mails).map((reader, i) => ({ reader, id: `m${i}` }));
    const sendSome = async (): Promise<void> => {
      const connection = await open(relay);
      for (const { reader, id } of readers) {
        const mail = composed
          .replaceAll(SLOTS.id, id)
          .replaceAll(SLOTS.address, reader.address)
          .replaceAll(SLOTS.first, reader.first)
          .replaceAll(SLOTS.city, reader.city)
          .replaceAll(SLOTS.code, reader.code);
        await new Promise<void>((resolve, reject) => {
          connection.send({ from: 'news@bench.example.org', to: reader.address }, mail, (error) =>
            error ? reject(error) : resolve(),
          );
        });
      }
      connection.quit();
    };
    await Promise.all(Array.from({ length: connections }, sendSome));
  };
}

async function open({ host, port }: Relay): Promise<SMTPConnection> {
  const connection = new SMTPConnection({ host, port, ignoreTLS: true });
  await new Promise<void>((resolve, reject) => {
    connection.on('error', reject);
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
  return connection;
}

/** @throws when a slot did not come through composing in one piece */
async function compose(letter: Letter): Promise<string> {
  const composed = (await composeFor(letter, SLOTS, SLOTS.id)).toString('utf8');
  const times = (word: string): number => composed.split(word).length - 1;
  if (times(SLOTS.first) !== 3 || times(SLOTS.city) !== 2 || times(SLOTS.code) !== 1)
    throw new Error('a variable was lost in composing');
  return composed;
}

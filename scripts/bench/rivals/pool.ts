import { readFileSync } from 'node:fs';
import { createTransport } from 'nodemailer';
import type { Load, Relay } from '../contenders/contender.ts';
import { fill, type Letter, type Reader, readersOf } from '../letter.ts';

/** Mails given to the pool and not yet sent, per connection: enough that no connection ever waits for the next. */
export const QUEUED_PER_CONNECTION = 3;

/** Whose mail is signed with which key (RSA: nodemailer knows no other). */
export interface PoolDkim {
  readonly domain: string;
  readonly selector: string;
  readonly keyFile: string;
}

/** Composes and sends one mail. @throws when it is refused */
export type SendOne = (letter: Letter, reader: Reader) => Promise<void>;

/** nodemailer as one uses it for bulk: a pool of kept connections, a mail per recipient, composed by nodemailer. */
export function openPool(relay: Relay, connections: number, dkim?: PoolDkim): SendOne {
  const pool = createTransport({
    pool: true,
    host: relay.host,
    port: relay.port,
    maxConnections: connections,
    // Its default would close a connection after 100 mails.
    maxMessages: Number.POSITIVE_INFINITY,
    ignoreTLS: true,
    ...(dkim === undefined
      ? {}
      : {
          dkim: {
            domainName: dkim.domain,
            keySelector: dkim.selector,
            privateKey: readFileSync(dkim.keyFile, 'utf8'),
          },
        }),
  });
  return async (letter, reader) => {
    await pool.sendMail({
      from: letter.from,
      to: reader.address,
      subject: fill(letter.subject, reader),
      text: fill(letter.text, reader),
      html: fill(letter.html, reader),
    });
  };
}

/** A loop over all readers, several mails at a time. The pool stays open for the next load. */
export function poolSender(
  relay: Relay,
  connections: number,
  dkim?: PoolDkim,
): (load: Load) => Promise<void> {
  const send = openPool(relay, connections, dkim);
  return async ({ mails, letter }) => {
    const readers = readersOf(mails);
    const sendSome = async (): Promise<void> => {
      for (const reader of readers) await send(letter, reader);
    };
    await Promise.all(Array.from({ length: connections * QUEUED_PER_CONNECTION }, sendSome));
  };
}

import { createTransport } from 'nodemailer';
import type { Load, Relay } from '../contender.ts';
import { fill, readersOf } from '../letter.ts';

/** Mails given to the pool and not yet sent, per connection: enough that no connection ever waits for the next. */
const QUEUED_PER_CONNECTION = 3;

/** nodemailer as one uses it for bulk: a pool of kept connections, a mail per recipient, composed by nodemailer. */
export async function sendByPool({ mails, letter }: Load, relay: Relay, connections: number): Promise<void> {
  const pool = createTransport({
    pool: true,
    host: relay.host,
    port: relay.port,
    maxConnections: connections,
    // Its default would close a connection after 100 mails.
    maxMessages: Number.POSITIVE_INFINITY,
    ignoreTLS: true,
  });
  const readers = readersOf(mails);
  const sendSome = async (): Promise<void> => {
    for (const reader of readers) {
      await pool.sendMail({
        from: letter.from,
        to: reader.address,
        subject: fill(letter.subject, reader),
        text: fill(letter.text, reader),
        html: fill(letter.html, reader),
      });
    }
  };
  await Promise.all(Array.from({ length: connections * QUEUED_PER_CONNECTION }, sendSome));
  pool.close();
}

import MailComposer from 'nodemailer/lib/mail-composer';
import { fill, type Letter, type Reader } from '../letter.ts';

/** A reader for those who send everybody the same. */
export const SAMPLE_READER: Reader = {
  address: 'reader@bench.example.net',
  first: 'Ana',
  city: 'Recife',
  code: 'K-12345',
};

/** A whole message as nodemailer makes it. */
export async function composeFor(letter: Letter, reader: Reader, id = 'sample'): Promise<Buffer> {
  return new MailComposer({
    from: letter.from,
    to: reader.address,
    messageId: `<${id}@bench.example.org>`,
    subject: fill(letter.subject, reader),
    text: fill(letter.text, reader),
    html: fill(letter.html, reader),
  })
    .compile()
    .build();
}

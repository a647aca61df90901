/** The variables of the letter. Plain ASCII, so that a rival may put them into finished bytes. */
export interface Reader {
  readonly address: string;
  readonly first: string;
  readonly city: string;
  readonly code: string;
}

/** The mail of the benchmark: subject, text and html with two variables each, in Mustache syntax. */
export interface Letter {
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export const FROM = 'Mutirão <news@bench.example.org>';

/** Beyond ASCII, as most mail is: its parts are encoded as quoted-printable. */
const SENTENCES = [
  'The harvest of this month was good, and the café is open again on Saturdays.',
  'Neighbours come together to get one household’s work done, then go home.',
  'Bring your own cup; there will be coffee, bread, and goiabada from Dona Inês.',
  'The road to São Bento is closed until Friday, so please come over the bridge.',
  'Whoever cannot come may send somebody else, or help on another day.',
];

/** Header, boundaries and encoding of a composed letter without sentences, about; bytes. */
const FRAME_BYTES = 790;
/** What a sentence takes in both parts together, encoded, about; bytes. */
const SENTENCE_BYTES = 173;

/** A letter that composes to about `bytes`, at least to its frame. */
export function letterOf(bytes: number): Letter {
  const count = Math.max(1, Math.round((bytes - FRAME_BYTES) / SENTENCE_BYTES));
  const sentences = Array.from({ length: count }, (_, i) => SENTENCES[i % SENTENCES.length] ?? '');
  return {
    from: FROM,
    subject: 'News for {{first}} in {{city}}',
    text: `Dear {{first}},\n\n${sentences.join('\n')}\n\nYour code is {{code}}.\n`,
    html:
      `<html><body><p>Dear <b>{{first}}</b> in {{city}},</p>\n` +
      sentences.map((sentence) => `<p>${sentence}</p>\n`).join('') +
      '</body></html>\n',
  };
}

const FIRST = ['Ana', 'Bruno', 'Clara', 'Davi', 'Elisa', 'Fabio', 'Gloria', 'Heitor'];
const CITIES = ['Recife', 'Lisboa', 'Porto Alegre', 'Coimbra', 'Natal', 'Evora', 'Olinda'];

/** The recipients, one after the other: nobody holds them all. */
export function* readersOf(count: number): Generator<Reader> {
  for (let i = 0; i < count; i++) {
    yield {
      address: `reader${i}@bench.example.net`,
      first: FIRST[i % FIRST.length] ?? '',
      city: CITIES[i % CITIES.length] ?? '',
      code: `K-${i}`,
    };
  }
}

/** Plain replacement: no escaping, no checks. What a script around nodemailer would do. */
export function fill(template: string, reader: Reader): string {
  return template
    .replaceAll('{{first}}', reader.first)
    .replaceAll('{{city}}', reader.city)
    .replaceAll('{{code}}', reader.code);
}

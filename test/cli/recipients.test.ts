import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csvRows } from '../../cli/recipients/csv.ts';
import { decode } from '../../cli/recipients/decode.ts';
import { guessDelimiter } from '../../cli/recipients/delimiter.ts';
import { listRows, writtenRows } from '../../cli/recipients/list.ts';
import { type ReadOptions, recipientSource } from '../../cli/recipients/source.ts';
import type { Row } from '../../client/index.ts';
import { collect } from '../client/scripted-server.ts';
import { tempFolder } from './mutirao.ts';

/** The rows of a file with this content; origins are shortened to the line number. */
async function rowsOf(
  content: string | Buffer,
  name = 'people.csv',
  options: ReadOptions = {},
): Promise<Row[]> {
  const file = join(tempFolder(), name);
  writeFileSync(file, content);
  const rows = await collect(recipientSource([file], options).rows());
  return rows.map((row) => ({ ...row, origin: row.origin?.replace(`${file}:`, '') }));
}

const ann = {
  address: 'ann@example.net',
  name: 'Ann',
  variables: { email: 'ann@example.net', name: 'Ann' },
  origin: '2',
};

describe('a CSV file', () => {
  test.each([
    ['plain', 'email,name\nann@example.net,Ann\n'],
    ['without a last line end', 'email,name\nann@example.net,Ann'],
    ['with CRLF', 'email,name\r\nann@example.net,Ann\r\n'],
    ['with old Mac line ends', 'email,name\rann@example.net,Ann\r'],
    ['with semicolons', 'email;name\nann@example.net;Ann\n'],
    ['with tabs', 'email\tname\nann@example.net\tAnn\n'],
    ['with a byte order mark', '\ufeffemail,name\nann@example.net,Ann\n'],
    ['with quotes', '"email","name"\n"ann@example.net","Ann"\n'],
    ['with spaces around names and addresses', ' email , name\n ann@example.net ,Ann\n'],
    ['with a delimiter too many behind a row', 'email,name\nann@example.net,Ann, \n'],
    ['with a delimiter behind every row', 'email,name,\nann@example.net,Ann,\n'],
    ['in UTF-16 with a byte order mark', Buffer.from('\ufeffemail;name\nann@example.net;Ann\n', 'utf16le')],
  ])('is read %s', async (_, content) => {
    const [row, ...rest] = await rowsOf(content);
    expect(rest).toEqual([]);
    expect({ ...row, variables: { ...ann.variables } }).toEqual(ann);
    expect(row).toMatchObject({ address: 'ann@example.net', variables: { name: 'Ann' } });
  });

  test('in another encoding is read when it is named', async () => {
    const content = Buffer.from(
      'email,name\nj@example.net,Jos\u00e9 \u20ac\n'.replace('\u20ac', '\u0080'),
      'latin1',
    );
    const [row] = await rowsOf(content, 'people.csv', { encoding: 'windows-1252' });
    expect(row).toMatchObject({ name: 'José €' });
  });

  test('in another encoding that is not named is refused rather than damaged', async () => {
    const content = Buffer.from('email,name\nj@example.net,Jos\u00e9\n', 'latin1');
    await expect(rowsOf(content)).rejects.toMatchObject({
      message: expect.stringContaining('is not utf-8'),
      hint: expect.stringContaining('--encoding windows-1252'),
    });
  });

  test('an unknown encoding is named', async () => {
    await expect(rowsOf('', 'a.csv', { encoding: 'klingon' })).rejects.toThrow(
      '--encoding klingon: there is no such encoding',
    );
  });

  test.each(['Email', 'EMAIL', 'E-Mail', 'Address'])('has its addresses in the column %s', async (column) => {
    const [row] = await rowsOf(`name,${column}\nAnn,ann@example.net\n`);
    expect(row).toMatchObject({ address: 'ann@example.net', variables: { [column]: 'ann@example.net' } });
  });

  test('takes the column email before others that could be it', async () => {
    const [row] = await rowsOf('address,email\n1 Main St,ann@example.net\n');
    expect(row).toMatchObject({ address: 'ann@example.net', variables: { address: '1 Main St' } });
  });

  test('without such a column is refused, naming those it has', async () => {
    await expect(rowsOf('nome;correio\nAna;ana@example.net\n')).rejects.toThrow(
      /no column "email".*"nome", "correio"/,
    );
    await expect(rowsOf('ann@example.net\nrui@example.net\n')).rejects.toMatchObject({
      hint: expect.stringContaining('header row'),
    });
  });

  test('with two columns of one name is refused', async () => {
    await expect(rowsOf('email,x,x\n')).rejects.toThrow('two columns are called "x"');
  });

  test('that is empty is refused', async () => {
    await expect(rowsOf('')).rejects.toThrow('is empty');
    await expect(rowsOf('\n\n')).rejects.toThrow('is empty');
  });

  test('keeps line breaks, delimiters and quotes that stand in quotes', async () => {
    const [row] = await rowsOf('email,note\na@example.net,"one, ""two""\r\nthree"\n');
    expect(row).toMatchObject({ variables: { note: 'one, "two"\r\nthree' } });
  });

  test('takes a quote in the middle of a cell as it is', async () => {
    const [row] = await rowsOf('email,size\na@example.net,5" pipe\n');
    expect(row).toMatchObject({ variables: { size: '5" pipe' } });
  });

  test('has its rows known by the line they begin on, whatever stands before', async () => {
    const rows = await rowsOf(
      '\r\n\nemail,note\r\na@example.net,"1\r\n2\n3"\r\n\r\n\nb@example.net,x\n,,\nc@example.net\nd@example.net,y\rlast@example.net,z',
    );
    expect(rows.map(({ address, origin }) => [address, origin])).toEqual([
      ['a@example.net', '4'],
      ['b@example.net', '9'],
      ['c@example.net', '11'],
      ['d@example.net', '12'],
      ['last@example.net', '13'],
    ]);
  });

  test('with rows of the wrong length has these rejected and the others read', async () => {
    const rows = await rowsOf('email,name\na@example.net\nb@example.net,B\nc@example.net,C,extra\n,nobody\n');
    expect(rows).toEqual([
      { address: 'a@example.net', problem: 'it has 1 cell, the header row has 2', origin: '2' },
      expect.objectContaining({ address: 'b@example.net', name: 'B' }),
      { address: 'c@example.net', problem: 'it has 3 cells, the header row has 2', origin: '4' },
      { problem: 'the address is empty', origin: '5' },
    ]);
  });

  test('with a quote that is never closed is refused before it fills the memory', async () => {
    const error = /a quote that is opened after line 2 is never closed/;
    await expect(rowsOf('email,name\na@example.net,A\nb@example.net,"B\nc@example.net,C\n')).rejects.toThrow(
      error,
    );
    let pieces = 0;
    const endless = async function* () {
      yield 'email,name\na@example.net,A\nb@example.net,"B\n';
      for (; pieces < 10_000; pieces++) yield 'c@example.net,C\n'.repeat(1_000);
    };
    await expect(collect(csvRows(endless(), 'endless.csv'))).rejects.toThrow(
      /the row after line 2 is longer than 1048576 characters/,
    );
    expect(pieces).toBeLessThan(1_000);
  });

  test('cannot give objects a prototype', async () => {
    const [row] = await rowsOf('email,__proto__,constructor\na@example.net,x,y\n');
    expect(row).toMatchObject({ variables: { email: 'a@example.net', constructor: 'y' } });
    expect(Object.getPrototypeOf((row as { variables: object }).variables)).toBe(Object.prototype);
  });

  test('reads back what was written, however the bytes arrive in pieces', async () => {
    const cell = fc.string({
      unit: fc.constantFrom('a', 'é', '€', '"', ',', ';', '\n', '\r\n', '\r', ' ', '😀'),
    });
    const delimiter = fc.constantFrom(',', ';', '\t');
    await fc.assert(
      fc.asyncProperty(
        fc.array(cell, { minLength: 1, maxLength: 20 }),
        delimiter,
        fc.integer({ min: 1, max: 7 }),
        async (cells, d, size) => {
          const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
          const text =
            ['email', 'note'].map(quote).join(d) +
            cells.map((note, i) => `\r\n${i}@x.org${d}${quote(note)}`).join('');
          const bytes = Buffer.from(text);
          const pieces = async function* () {
            for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
          };
          const rows = await collect(csvRows(decode(pieces(), 'utf-8', 'f'), 'f'));
          expect(rows.map((row) => ('variables' in row ? row.variables?.note : row))).toEqual(cells);
        },
      ),
    );
  });

  test.each([
    ['email', ','],
    ['email,"a;b;c;d"', ','],
    ['email;a,b;c', ';'],
    ['email\tname\tx', '\t'],
  ])('with the header %j has the delimiter %j', (header, delimiter) => {
    expect(guessDelimiter(header)).toBe(delimiter);
  });

  test('is read with the delimiter that is given', async () => {
    const [row] = await rowsOf('email|name\nann@example.net|Ann\n', 'people.csv', { delimiter: '|' });
    expect(row).toMatchObject({ name: 'Ann' });
  });
});

describe('a text file', () => {
  test('has one address per line, with or without a name', async () => {
    const rows = await rowsOf(
      '\ufeffann@example.net\r\n\r\n  Rui <rui@example.net>  \n"Lee, Jo" <jo@example.net>\r<x@example.net>',
      'list.txt',
    );
    expect(rows).toEqual([
      { address: 'ann@example.net', origin: '1' },
      { address: 'rui@example.net', name: 'Rui', variables: { name: 'Rui' }, origin: '3' },
      { address: 'jo@example.net', name: 'Lee, Jo', variables: { name: 'Lee, Jo' }, origin: '4' },
      { address: 'x@example.net', origin: '5' },
    ]);
  });

  test('may come in pieces that part a CRLF', async () => {
    const pieces = async function* () {
      yield* ['a@exam', 'ple.net\r', '\nb@example.net\r', 'c@example.net'];
    };
    const rows = await collect(listRows(pieces(), 'f'));
    expect(rows.map((row) => row.origin)).toEqual(['f:1', 'f:2', 'f:3']);
  });

  test('with a line that has no end is read in bounded memory', async () => {
    const rows = await rowsOf(`a@example.net\n${'x'.repeat(3_000_000)}\nb@example.net\n`, 'list.txt');
    expect(rows.map((row) => row.origin)).toEqual(['1', '2', '3']);
    expect(rows[1]?.address?.length).toBeLessThan(300_000);
  });
});

describe('--to', () => {
  test('takes addresses with commas between them, and commas in quoted names', () => {
    expect([...writtenRows('a@example.net, "Lee, Jo" <jo@example.net>,, Rui <rui@example.net>')]).toEqual([
      { address: 'a@example.net' },
      { address: 'jo@example.net', name: 'Lee, Jo', variables: { name: 'Lee, Jo' } },
      { address: 'rui@example.net', name: 'Rui', variables: { name: 'Rui' } },
    ]);
  });

  test('takes several sources, and reads them again from the start', async () => {
    const file = join(tempFolder(), 'list.txt');
    writeFileSync(file, 'ann@example.net\n');
    const source = recipientSource([file, 'rui@example.net'], {});
    const addresses = async () => (await collect(source.rows())).map((row) => row.address);
    expect(await addresses()).toEqual(['ann@example.net', 'rui@example.net']);
    expect(await addresses()).toEqual(['ann@example.net', 'rui@example.net']);
  });

  test('says what is wrong with it', () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'people.dat'), '');
    expect(() => recipientSource(['nobody.csv'], {})).toThrow('there is no such file');
    expect(() => recipientSource([folder], {})).toThrow('is a folder');
    expect(() => recipientSource([join(folder, 'people.dat')], {})).toThrow('does not tell what it is');
    expect(() => recipientSource(['-'], {})).toThrow('say what comes');
    expect(() => recipientSource(['-', '-'], { format: 'csv' })).toThrow('only once');
  });
});

import type { Row } from '../../client/index.ts';
import { CliError } from '../errors.ts';

/** Names of the column with the address, in lower case, the best first. */
const ADDRESS_NAMES = ['email', 'e-mail', 'address'];
/** Column names that an error lists at most. */
const LISTED = 20;

/** What the header row says: which cell is which variable, and which is the address. */
export class Columns {
  /** Variable names; empty where a column has no name and is left out. */
  readonly #names: readonly string[];
  readonly #address: number;
  readonly #name: number;

  /** @throws CliError when there is no column for the address, or two of one name */
  constructor(header: readonly string[], file: string) {
    const names = header.map((name) => name.trim());
    this.#names = names;
    const lower = names.map((name) => name.toLowerCase());
    const twice = names.find((name, i) => name !== '' && names.indexOf(name) !== i);
    if (twice !== undefined)
      throw new CliError(`${file}: two columns are called "${twice}"`, { hint: 'rename one' });
    const found = ADDRESS_NAMES.map((name) => lower.indexOf(name)).find((index) => index >= 0);
    if (found === undefined) throw noAddress(names, file);
    this.#address = found;
    this.#name = lower.indexOf('name');
  }

  /** A row of the file as a recipient; one with the wrong number of cells as unreadable. */
  row(cells: readonly string[], origin: string): Row {
    const address = cells[this.#address]?.trim() ?? '';
    const columns = this.#names.length;
    if (cells.length < columns || cells.slice(columns).some((cell) => cell.trim() !== '')) {
      return {
        problem: `it has ${plural(cells.length, 'cell')}, the header row has ${columns}`,
        address,
        origin,
      };
    }
    if (address === '') return { problem: 'the address is empty', origin };
    const variables: Record<string, string> = {};
    for (let i = 0; i < columns; i++) {
      const name = this.#names[i] as string;
      if (name !== '') variables[name] = cells[i] as string;
    }
    const name = this.#name < 0 ? '' : (cells[this.#name] as string).trim();
    return name === '' ? { address, variables, origin } : { address, name, variables, origin };
  }
}

function noAddress(names: readonly string[], file: string): CliError {
  const listed = names.slice(0, LISTED).map((name) => `"${name}"`);
  if (names.length > LISTED) listed.push('…');
  const looksLikeData = names.some((name) => name.includes('@'));
  return new CliError(`${file} has no column "email"; its first row names: ${listed.join(', ')}`, {
    hint: looksLikeData
      ? 'a CSV file needs a header row; for a plain list of addresses use --format txt'
      : `name the column with the addresses "email", "e-mail" or "address"; if this looks like one name, give the --delimiter`,
  });
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

import { MESSAGES } from '../../protocol/index.ts';
import { asyncApi } from './asyncapi.ts';
import { configurationPage } from './configuration-page.ts';
import { protocolPage } from './protocol-page.ts';
import { schemaOf } from './schemas.ts';

/** Folder that holds generated files only: one that is not generated any more is stale. */
export const SCHEMA_FOLDER = 'docs/schemas';

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Every generated document: path in the repository → text. */
export function documents(): Map<string, string> {
  return new Map([
    ['docs/PROTOCOL.md', protocolPage()],
    ['docs/CONFIGURATION.md', configurationPage()],
    ['docs/asyncapi.json', json(asyncApi())],
    ...MESSAGES.map((message): [string, string] => [
      `${SCHEMA_FOLDER}/${message.id}.json`,
      json(schemaOf(message)),
    ]),
  ]);
}

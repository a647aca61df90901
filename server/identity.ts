import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { ServerError } from './errors.ts';

const IdentityFile = z.object({ serverUuid: z.string().min(1), createdAt: z.string() });

/** Who this server is among its peers: made once per data folder and kept. */
export interface Identity {
  readonly uuid: string;
}

/** Reads the identity of a data folder, or makes one. Call it with the folder's lock held. @throws ServerError IDENTITY_INVALID */
export function loadIdentity(folder: string): Identity {
  const path = join(folder, 'identity.json');
  const known = readIdentity(path);
  if (known !== undefined) return known;
  const uuid = uuidv7();
  mkdirSync(folder, { recursive: true });
  const temporary = `${path}.new`;
  writeFileSync(
    temporary,
    `${JSON.stringify({ serverUuid: uuid, createdAt: new Date().toISOString() }, null, 2)}\n`,
    // on the disk before it gets its name: after a power cut it is there whole, or not at all
    { flush: true },
  );
  renameSync(temporary, path);
  return { uuid };
}

function readIdentity(path: string): Identity | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return { uuid: IdentityFile.parse(JSON.parse(text)).serverUuid };
  } catch (cause) {
    throw new ServerError(
      'IDENTITY_INVALID',
      `${path} is damaged: restore it, or remove it to begin as a new server of the mesh (batches are kept)`,
      { cause },
    );
  }
}

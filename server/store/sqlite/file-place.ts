import { realpathSync, statSync } from 'node:fs';
import type { StorePlace } from '../../instance/store.ts';

/**
 * The file that a store is, told apart from every copy of it by its inode and time of birth. Not by its device, whose number
 * may be another after a boot; nor by its path, which changes when a folder is moved and the store with it.
 */
export function placeOf(file: string): StorePlace {
  const { ino, birthtimeNs } = statSync(file, { bigint: true });
  return { id: `${ino}-${birthtimeNs}`, path: realpathSync(file) };
}

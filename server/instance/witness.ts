import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const WitnessFile = z.object({ epoch: z.int(), aliveAt: z.number() });

/** What the data folder remembers of the store's last run: it is not restored with it. */
export type Witness = Readonly<z.infer<typeof WitnessFile>>;

const pathOf = (folder: string): string => join(folder, 'instance.json');

/** Undefined: there is none that can be read. */
export function readWitness(folder: string): Witness | undefined {
  try {
    return WitnessFile.parse(JSON.parse(readFileSync(pathOf(folder), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Call it after the store has committed the same. What cannot be written is left: it is a second witness, not the only one. */
export function writeWitness(folder: string, witness: Witness): void {
  const temporary = `${pathOf(folder)}.new`;
  try {
    writeFileSync(temporary, `${JSON.stringify(witness)}\n`, { mode: 0o600 });
    renameSync(temporary, pathOf(folder));
  } catch {}
}

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Where a machine's identity is, made when its system was installed. */
const FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/**
 * Tells this machine from others; a digest, because the identity itself is not to be shown (machine-id(5)). Undefined where there is
 * none, such as in most containers: there a host name would be another one after every start.
 */
export function hostId(files: readonly string[] = FILES): string | undefined {
  for (const file of files) {
    const id = contentOf(file);
    if (id !== '') return createHash('sha256').update(`mutirao ${id}`).digest('hex').slice(0, 16);
  }
  return undefined;
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

import { readFileSync } from 'node:fs';
import type { DkimSettings } from '../config/index.ts';
import { dkimSigner } from '../mail/index.ts';
import type { Dkim } from '../protocol/index.ts';
import { ServerError } from './errors.ts';

/** The DKIM keys of a server, by the domain of the sender. */
export class DkimKeys {
  readonly #keys = new Map<string, Dkim>();

  /** Reads and checks every key. @throws ServerError DKIM_INVALID */
  constructor(settings: readonly DkimSettings[]) {
    for (const { domain, selector, keyFile } of settings) {
      this.#keys.set(domain, { DOMAIN: domain, SELECTOR: selector, KEY: readKey(domain, selector, keyFile) });
    }
  }

  /** The key for mail from this domain: its own, or that of the nearest domain above it. */
  for(senderDomain: string): Dkim | undefined {
    for (let domain = senderDomain; domain !== ''; domain = above(domain)) {
      const key = this.#keys.get(domain);
      if (key !== undefined) return key;
    }
    return undefined;
  }
}

function above(domain: string): string {
  const dot = domain.indexOf('.');
  return dot === -1 ? '' : domain.slice(dot + 1);
}

function readKey(domain: string, selector: string, file: string): string {
  try {
    const key = readFileSync(file, 'utf8');
    dkimSigner({ domain, selector, key });
    return key;
  } catch (cause) {
    throw new ServerError(
      'DKIM_INVALID',
      `--dkim ${domain}:${selector}:${file}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

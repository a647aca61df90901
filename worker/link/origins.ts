/** Addresses remembered; far beyond the servers that any worker meets. */
const MAX_REMEMBERED = 1_000;

/**
 * Under which name the tasks of a server are kept. It is its address, unless the server says that it shares its store with
 * others: then it is that of the store, and what one of them gave can be reported at each of them.
 */
export class Origins {
  readonly #byUrl = new Map<string, string>();

  of(url: string): string {
    return this.#byUrl.get(url) ?? url;
  }

  /** These servers share a store. */
  share(store: string, urls: readonly string[]): void {
    for (const url of urls) {
      this.#byUrl.delete(url);
      this.#byUrl.set(url, `store ${store}`);
    }
    for (const url of this.#byUrl.keys()) {
      if (this.#byUrl.size <= MAX_REMEMBERED) break;
      this.#byUrl.delete(url);
    }
  }
}

/** Releases that are followed at a time; beyond it the oldest gets no RELEASE_COMPLETED. */
const MAX_FOLLOWED = 1_000;

interface Release {
  readonly peer: string;
  readonly workers: readonly string[];
  readonly missing: Set<string>;
}

/** A release whose last worker has arrived: its peer is owed a RELEASE_COMPLETED. */
export interface CompletedRelease {
  readonly peer: string;
  readonly workers: readonly string[];
}

/** Follows acknowledged COMMAND_RELEASEs until each of their workers is where it should be. */
export class Releases {
  readonly #open: Release[] = [];

  follow(peer: string, workers: readonly string[]): void {
    if (this.#open.length >= MAX_FOLLOWED) this.#open.shift();
    this.#open.push({ peer, workers, missing: new Set(workers) });
  }

  done(worker: string): readonly CompletedRelease[] {
    const completed: CompletedRelease[] = [];
    for (let i = this.#open.length - 1; i >= 0; i -= 1) {
      const release = this.#open[i];
      if (release === undefined || !release.missing.delete(worker) || release.missing.size > 0) continue;
      completed.push({ peer: release.peer, workers: release.workers });
      this.#open.splice(i, 1);
    }
    return completed;
  }
}

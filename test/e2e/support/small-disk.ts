import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Whether a file system can be mounted here: by root on Linux. */
export const CAN_MOUNT = process.platform === 'linux' && canMount();

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'mutirao-mount-'));
  const mounted = mount(folder, 64);
  if (mounted) unmount(folder);
  rmSync(folder, { recursive: true });
  return mounted;
}

function mount(folder: string, kib: number): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', folder]).status === 0;
}

function unmount(folder: string): void {
  spawnSync('umount', [folder]);
}

/** A disk of its own that can be filled. Make it before the town, so that it goes after it. */
export class SmallDisk {
  readonly folder = mkdtempSync(join(tmpdir(), 'mutirao-disk-'));

  constructor(kib: number) {
    if (!mount(this.folder, kib)) throw new Error('no file system can be mounted here');
    onTestFinished(() => {
      unmount(this.folder);
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** Leaves no room at all. */
  fill(): void {
    const file = openSync(join(this.folder, 'filling'), 'w');
    try {
      for (const size of [65_536, 4_096, 1]) {
        const piece = Buffer.alloc(size);
        while (writeSync(file, piece) === size);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.folder, 'filling'));
  }
}

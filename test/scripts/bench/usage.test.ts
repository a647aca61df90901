import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  cpuMicrosOf,
  cpuMicrosOfEnded,
  cpuMicrosOfStat,
  cpuOver,
  endedChildrenMicrosOfStat,
  peakRssMBOf,
  peakRssMBOfStatus,
  rssMBOfStatus,
} from '../../../scripts/bench/usage.ts';

describe('what the kernel tells of a process', () => {
  it('is read past a name with blanks and brackets', () => {
    const stat = '42 (a ) (b) S 1 42 42 0 -1 4194560 900 0 3 0 150 50 7 9 20 0 11 0 100 5 6';
    expect(cpuMicrosOfStat(stat)).toBe(2_000_000);
    expect(endedChildrenMicrosOfStat(stat)).toBe(160_000);
  });

  it('has its memory, the highest and the present, in kB', () => {
    const status = 'Name:\tnode\nVmPeak:\t  99 kB\nVmHWM:\t  204800 kB\nVmRSS:\t 5120 kB\n';
    expect(peakRssMBOfStatus(status)).toBe(200);
    expect(rssMBOfStatus(status)).toBe(5);
  });

  it.runIf(process.platform === 'linux')('still counts a process that has ended', async () => {
    const before = cpuMicrosOfEnded() ?? 0;
    const work = 'const end = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < end);';
    await once(spawn(process.execPath, ['-e', work]), 'exit');
    expect((cpuMicrosOfEnded() ?? 0) - before).toBeGreaterThanOrEqual(180_000);
  });

  it.runIf(process.platform === 'linux')('counts another process while it works', async () => {
    const child = spawn(process.execPath, [
      '-e',
      'const end = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < end); console.log("done"); process.stdin.resume()',
    ]);
    const pid = child.pid ?? 0;
    try {
      const cpu = await cpuOver({ child: [pid] }, async () => {
        await once(child.stdout, 'data');
      });
      expect(cpu?.child).toBeGreaterThanOrEqual(180_000);
      expect(cpuMicrosOf([pid])).toBeGreaterThanOrEqual(180_000);
      expect(peakRssMBOf([pid])).toBeGreaterThan(10);
    } finally {
      child.kill();
      await once(child, 'close');
    }
  });
});

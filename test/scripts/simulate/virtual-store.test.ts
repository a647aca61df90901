import { Disk } from '../../../scripts/simulate/store/disk.ts';
import { VirtualStore } from '../../../scripts/simulate/store/virtual-store.ts';
import { storeContract } from '../../server/store/contract.ts';

storeContract('virtual', async () => {
  const disk = new Disk();
  let isFailing = false;
  return {
    open: () =>
      new VirtualStore(disk, {
        commitLater: (commit) => void setImmediate(commit),
        answerLater: (answer) => answer(),
        fails: () => isFailing,
      }),
    async failing(_store, work) {
      isFailing = true;
      await work();
      isFailing = false;
    },
    async dispose() {},
  };
});

import { appendFileSync } from 'node:fs';

// A child of the process tests: says that it lives, ends when told, dies when its time has come.
const [file, dieAfterMs] = process.argv.slice(2) as [string, string];
const end = (): void => {
  appendFileSync(file, `end ${process.pid}\n`);
  process.exit(0);
};
process.on('SIGTERM', end);
process.on('disconnect', end);
if (Number(dieAfterMs) > 0) setTimeout(() => process.exit(3), Number(dieAfterMs));
appendFileSync(file, `start ${process.pid}\n`);

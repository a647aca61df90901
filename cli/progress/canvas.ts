import type { Canvas } from './view.ts';

/** Standard error as a canvas: live on a terminal, lines elsewhere, nothing when quiet. */
export async function stderrCanvas(quiet: boolean): Promise<Canvas> {
  const stream = process.stderr;
  const print = (text: string) => void stream.write(`${text}\n`);
  if (quiet) return { live: false, draw: () => {}, print, end: () => {} };
  // A terminal without a size, as some build machines have, shows no picture.
  if (!stream.isTTY || stream.rows === 0) return { live: false, draw: print, print, end: () => {} };
  const { createLogUpdate } = await import('log-update');
  const log = createLogUpdate(stream);
  return {
    live: true,
    draw: (text) => log(text),
    print: (text) => {
      log.clear();
      print(text);
    },
    end: () => {
      log.clear();
      log.done();
    },
  };
}

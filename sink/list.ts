import { closeSync, openSync, writeSync } from 'node:fs';
import type { Delivery } from './deliveries.ts';

/** Characters that are collected before a write. */
const WRITE_CHARACTERS = 1024 ** 2;

/** Writes one JSON line `{"messageId":…,"recipient":…,"count":n}` per delivery. Throws what the file system throws. */
export function writeList(deliveries: Iterable<Delivery>, path: string): void {
  const file = openSync(path, 'w');
  try {
    let text = '';
    for (const delivery of deliveries) {
      text += `${JSON.stringify(delivery)}\n`;
      if (text.length < WRITE_CHARACTERS) continue;
      writeAll(file, text);
      text = '';
    }
    writeAll(file, text);
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

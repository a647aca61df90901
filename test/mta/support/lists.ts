import { type Delivered, DOMAIN } from './mta.ts';

export const people = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, i) => `${name}${i}@${DOMAIN}`);

export const sorted = (texts: readonly string[]): string[] => [...texts].sort();
export const addresses = (mails: readonly Delivered[]): string[] => sorted(mails.map((mail) => mail.to));
export const to = (mails: readonly Delivered[], name: string): Delivered[] =>
  mails.filter((mail) => mail.to.startsWith(name));

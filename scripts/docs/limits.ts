import { readFileSync } from 'node:fs';
import * as limits from '../../protocol/limits.ts';

/** A named bound of the wire. */
export interface Limit {
  readonly name: string;
  readonly value: number;
  readonly why: string;
}

/** A comment without an end inside, then a constant. */
const DOCUMENTED = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export const ([A-Z_]+) =/g;

/** The constants of protocol/limits.ts with the comments above them. @throws Error when one has no comment. */
export function wireLimits(): Limit[] {
  const source = readFileSync(new URL('../../protocol/limits.ts', import.meta.url), 'utf8');
  const documented = [...source.matchAll(DOCUMENTED)].map(([, comment = '', name = '']) => ({
    name,
    value: (limits as Readonly<Record<string, number>>)[name] as number,
    why: comment.replace(/\s*\n\s*\*\s*/g, ' ').trim(),
  }));
  const without = Object.keys(limits).filter((name) => !documented.some((limit) => limit.name === name));
  if (without.length > 0) throw new Error(`protocol/limits.ts: no comment above ${without.join(', ')}`);
  return documented;
}

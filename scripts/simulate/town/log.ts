import type { Logger } from '../../../logging/index.ts';

/** A line of a log: who says it, and what. */
export type Say = (level: string, fields: object, message: string) => void;

/** A log of the kind that servers and workers write to, in front of a function. */
export function logOf(say: Say, isDebugged: boolean): Logger {
  const at = (level: string) => (fields: object | string, message?: string) =>
    typeof fields === 'string' ? say(level, {}, fields) : say(level, fields, message ?? '');
  const log = {
    level: isDebugged ? 'debug' : 'info',
    child: () => log,
    trace: () => {},
    debug: isDebugged ? at('debug') : () => {},
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    isLevelEnabled: (level: string) => level !== 'trace' && (isDebugged || level !== 'debug'),
  };
  return log as unknown as Logger;
}

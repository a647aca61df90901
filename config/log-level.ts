import { z } from 'zod';
import type { Setting } from './setting.ts';

/** How much a process logs: everything of this level and above. */
export const LOG_LEVEL = {
  schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  fallback: 'info',
  value: 'LEVEL',
  description: 'trace, debug, info, warn, error, fatal or silent',
} as const satisfies Setting;

import { z } from 'zod';

/** An identifier made by one of our processes (UUID v7) or chosen by a minimal worker or peer of another make. */
export const Identifier = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/, 'must be 1 to 64 letters, digits, dots, colons or dashes');

/** Where a server can be reached. `TLS` says that it speaks wss and https. */
export const Endpoint = z.object({
  IP: z.string().min(1).max(255).describe('host name or address'),
  PORT: z.int().min(1).max(65_535),
  TLS: z.boolean().optional(),
});
export type Endpoint = z.infer<typeof Endpoint>;

export const Token = z.string().min(1).max(4_096);
export const Version = z.int().min(1).max(1_000_000);

export const SeqRangesSchema = z
  .array(z.tuple([z.int().nonnegative(), z.int().nonnegative()]))
  .max(100_000)
  .refine(
    (ranges) => ranges.every(([from, to], i) => from <= to && (i === 0 || from > (ranges[i - 1]?.[1] ?? -1))),
    'must be sorted, disjoint ranges [from, to]',
  );

/** The answer to anything that could not be done. `CODE` is stable, `MESSAGE` is for people and says what to do. */
export const Nack = z.object({
  STATUS: z.literal('NACK'),
  REQ: z.int().optional().describe('the REQ of the message that it answers'),
  TASK_UUID: z.string().optional().describe('the task whose report it answers'),
  ERROR: z.object({
    CODE: z.string(),
    MESSAGE: z.string(),
    FIELD: z.string().optional().describe('path of the key that is wrong'),
    RETRY: z.boolean().optional().describe('true: the same request may succeed later'),
  }),
});
export type Nack = z.infer<typeof Nack>;

export function endpointUrl(endpoint: Endpoint): string {
  const host = endpoint.IP.includes(':') ? `[${endpoint.IP}]` : endpoint.IP;
  return `${endpoint.TLS === true ? 'wss' : 'ws'}://${host}:${endpoint.PORT}`;
}

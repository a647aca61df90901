import { z } from 'zod';

const milliseconds = (max: number) => z.number().min(0).max(max);
const replyCode = z
  .number()
  .int()
  .refine((code) => code === 220 || (code >= 400 && code <= 599), 'must be 220, 4xx or 5xx');

/** Everything a sink can be told. Times in milliseconds where the name says so, else in seconds. */
export const sinkOptionsSchema = z
  .object({
    host: z.string().min(1).default('127.0.0.1').describe('Address to listen on'),
    port: z.number().int().min(0).max(65_535).default(2525).describe('Port to listen on; 0 takes a free one'),
    hostname: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,255}$/)
      .default('sink.localhost')
      .describe('Name said in the greeting'),
    latencyMs: milliseconds(60_000)
      .default(0)
      .describe('Every reply comes that much later, as over a distance'),
    rate: z.number().positive().max(10_000_000).optional().describe('Messages accepted per second, overall'),
    rateAction: z
      .enum(['slow', 'refuse'])
      .default('slow')
      .describe('Beyond the rate: reply later (slow), or 451 4.7.0 to RCPT (refuse)'),
    maxConnections: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(10_000)
      .describe('Connections beyond get 421'),
    maxMessageBytes: z
      .number()
      .int()
      .min(1)
      .max(1024 ** 3)
      .default(50 * 1024 ** 2)
      .describe('SIZE that is offered and held to'),
    pipelining: z.boolean().default(true).describe('Offer PIPELINING; without, sending ahead is an error'),
    smtpUtf8: z.boolean().default(true).describe('Offer SMTPUTF8'),
    eightBitMime: z.boolean().default(true).describe('Offer 8BITMIME'),
    chunking: z
      .boolean()
      .default(false)
      .describe(
        'Offer CHUNKING (BDAT), as most relays do; off unless asked for, so that DATA is what is tried',
      ),
    tls: z.enum(['off', 'starttls', 'implicit']).default('off').describe('How TLS is offered'),
    requireTls: z.boolean().default(false).describe('Refuse MAIL and AUTH before STARTTLS'),
    tlsCert: z.string().min(1).optional().describe('PEM file; without, a self-signed certificate is made'),
    tlsKey: z.string().min(1).optional().describe('PEM file of the certificate’s key'),
    auth: z
      .enum(['off', 'optional', 'required'])
      .default('off')
      .describe('Whether AUTH PLAIN and LOGIN are offered'),
    users: z
      .array(z.string().regex(/^[^:]+:/, 'must be user:password'))
      .default([])
      .describe('user:password pairs that are right; none: any is'),
    authFails: z.boolean().default(false).describe('Every AUTH is answered 535'),
    greeting: replyCode.default(220).describe('Reply code of the greeting; 4xx and 5xx refuse everybody'),
    slowMs: milliseconds(3_600_000).default(3_000).describe('How late slow- recipients are answered'),
    greylistTimes: z
      .number()
      .int()
      .min(1)
      .max(1_000)
      .default(1)
      .describe('How often greylist- recipients get 451'),
    refuseRate: z.number().min(0).max(1).default(0).describe('Chance that any recipient gets 451'),
    seed: z.number().int().min(0).max(0xffffffff).default(1).describe('Seed of that chance'),
    downEvery: z.number().min(0.05).max(86_400).optional().describe('Goes down every so many seconds'),
    downFor: z.number().min(0.01).max(86_400).default(5).describe('For so many seconds'),
    keepMessages: z.boolean().default(false).describe('Keeps whole messages in memory, for tests'),
    mbox: z.string().min(1).optional().describe('Appends every message to this file (mboxrd)'),
    record: z
      .string()
      .min(1)
      .optional()
      .describe('Appends a line per accepted recipient to this file, before the reply'),
  })
  .strict()
  .refine((options) => (options.tlsCert === undefined) === (options.tlsKey === undefined), {
    message: 'tlsCert and tlsKey go together',
    path: ['tlsCert'],
  })
  .refine((options) => !options.requireTls || options.tls === 'starttls', {
    message: 'requireTls needs tls: starttls',
    path: ['requireTls'],
  });

export type SinkOptions = z.output<typeof sinkOptionsSchema>;
export type SinkOptionsInput = z.input<typeof sinkOptionsSchema>;

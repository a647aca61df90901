import { z } from 'zod';

/** A relay as configured: where it is, how to speak to it, how much it gets. */
export interface RelaySettings {
  /** Name shown to people; unique within a server. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte (smtps). */
  readonly secure: boolean;
  readonly starttls: 'AUTO' | 'ALWAYS' | 'NEVER';
  /** Whether the certificate is checked. */
  readonly verify: boolean;
  readonly user?: string;
  readonly pass?: string;
  /** Log in over an unencrypted link to another host. */
  readonly clearAuth: boolean;
  /** Share of the mail relative to the other relays. */
  readonly weight: number;
  /** Most connections to it, over all workers, borrowed ones included; absent: as many as the workers open. */
  readonly connections?: number;
}

const MAX_WEIGHT = 1_000;
const MAX_CONNECTIONS = 100_000;

const RelayObject = z
  .object({
    name: z.string().min(1).max(64).optional(),
    host: z.string().min(1).max(255),
    port: z.int().min(1).max(65_535).optional(),
    secure: z.boolean().default(false),
    starttls: z
      .enum(['auto', 'always', 'never'])
      .default('auto')
      .transform((text) => text.toUpperCase() as RelaySettings['starttls']),
    verify: z.boolean().default(true),
    user: z.string().max(1_000).optional(),
    pass: z.string().max(1_000).optional(),
    clearAuth: z.boolean().default(false),
    weight: z.number().positive().max(MAX_WEIGHT).default(1),
    connections: z.int().min(1).max(MAX_CONNECTIONS).optional(),
  })
  .strict()
  .transform(
    (relay): RelaySettings => ({
      ...relay,
      port: relay.port ?? (relay.secure ? 465 : 25),
      name: relay.name ?? `${relay.host}:${relay.port ?? (relay.secure ? 465 : 25)}`,
    }),
  );

const URL_FORM =
  'must look like smtp://user:pass@host:port?name=mx&weight=1&connections=20 (smtps:// for TLS from the start; also starttls=always|never, verify=no, clear-auth=yes)';

const SPECIAL_CHARACTERS =
  'a / ? # @ : or % in the user or password is written as %2F %3F %23 %40 %3A or %25';

/** A relay as a URL, or as an object of the config file. */
export const RelaySpec = z
  .union([z.string(), z.record(z.string(), z.unknown())], URL_FORM)
  .transform((spec, context) => {
    const keys = typeof spec === 'string' ? keysOfUrl(spec) : spec;
    if (typeof keys === 'string') {
      context.addIssue({ code: 'custom', message: keys });
      return z.NEVER;
    }
    const parsed = RelayObject.safeParse(keys);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    context.addIssue({
      code: 'custom',
      message: `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'invalid'}; ${URL_FORM}`.trim(),
    });
    return z.NEVER;
  });

const YES_NO: Readonly<Record<string, boolean>> = {
  yes: true,
  true: true,
  1: true,
  no: false,
  false: false,
  0: false,
};

/** The keys of a relay's URL, or what is wrong with it; the message never repeats the URL, which may hold a password. */
function keysOfUrl(text: string): Record<string, unknown> | string {
  if (!URL.canParse(text)) return URL_FORM;
  const url = new URL(text);
  if (url.protocol !== 'smtp:' && url.protocol !== 'smtps:') return URL_FORM;
  if ((url.pathname !== '' && url.pathname !== '/') || url.hash !== '') return SPECIAL_CHARACTERS;
  const keys: Record<string, unknown> = {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    secure: url.protocol === 'smtps:',
  };
  if (url.port !== '') keys.port = Number(url.port);
  try {
    if (url.username !== '') keys.user = decodeURIComponent(url.username);
    if (url.password !== '') keys.pass = decodeURIComponent(url.password);
  } catch {
    return SPECIAL_CHARACTERS;
  }
  for (const [name, value] of url.searchParams) {
    switch (name) {
      case 'name':
      case 'starttls':
        keys[name] = value;
        break;
      case 'weight':
      case 'connections':
        keys[name] = Number(value);
        break;
      case 'verify':
      case 'clear-auth':
        if (YES_NO[value] === undefined) return `${name} must be yes or no`;
        keys[name === 'verify' ? 'verify' : 'clearAuth'] = YES_NO[value];
        break;
      default:
        return `has a parameter that is not one of name, weight, connections, starttls, verify and clear-auth; ${SPECIAL_CHARACTERS}`;
    }
  }
  return keys;
}

import { z } from 'zod';

/** Whose mail is signed, under which selector, with the private key of which file. */
export interface DkimSettings {
  readonly domain: string;
  readonly selector: string;
  readonly keyFile: string;
}

const FORM = 'must look like example.org:selector:/path/to/key.pem';

const DkimObject = z
  .object({ domain: z.string().min(1), selector: z.string().min(1), keyFile: z.string().min(1) })
  .strict();

/** A DKIM key as `DOMAIN:SELECTOR:FILE`, or as an object of the config file. */
export const DkimSpec = z
  .union([z.string(), z.record(z.string(), z.unknown())], FORM)
  .transform((spec, context): DkimSettings => {
    const parsed = DkimObject.safeParse(typeof spec === 'string' ? keysOf(spec) : spec);
    if (parsed.success) return { ...parsed.data, domain: parsed.data.domain.toLowerCase() };
    context.addIssue({ code: 'custom', message: FORM });
    return z.NEVER;
  });

function keysOf(text: string): Record<string, string> {
  const [domain = '', selector = '', ...file] = text.split(':');
  return { domain, selector, keyFile: file.join(':') };
}

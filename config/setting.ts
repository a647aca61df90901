import { z } from 'zod';

/**
 * One thing that can be configured. Its flag, environment variable and key of the config file follow from its name:
 * `keepHome` is `--keep-home`, `MUTIRAO_KEEP_HOME` and `"keepHome"`.
 */
export interface Setting<S extends z.ZodType = z.ZodType> {
  /** Checks and converts what the flag, the variable or the file says. */
  readonly schema: S;
  /** Used when nobody says anything; undefined: the setting is simply absent. */
  readonly fallback?: z.input<S>;
  /** What the help calls the value, such as `PORT`; absent for a switch. */
  readonly value?: string;
  readonly description: string;
  /** Can be given several times (environment: separated by spaces). */
  readonly repeatable?: boolean;
  /** Never shown; can also be read from a file named by the setting with `File` behind its name. */
  readonly secret?: boolean;
}

export type Settings = Readonly<Record<string, Setting>>;

/** What a set of settings becomes when it is loaded. */
export type Loaded<T extends Settings> = {
  readonly [K in keyof T]: T[K] extends { readonly fallback: unknown }
    ? z.output<T[K]['schema']>
    : T[K] extends { readonly repeatable: true }
      ? z.output<T[K]['schema']>
      : z.output<T[K]['schema']> | undefined;
};

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export const flagOf = (name: string): string => `--${kebab(name)}`;
export const variableOf = (name: string): string =>
  `MUTIRAO_${kebab(name).replaceAll('-', '_').toUpperCase()}`;

/** A whole number within bounds, also as text. */
export const whole = (min: number, max: number) => {
  const allowed = `must be a whole number from ${min} to ${max}`;
  return z.union([z.number(), z.string()], allowed).transform((value, context) => {
    const number = typeof value === 'string' && !/^-?\d+$/.test(value) ? Number.NaN : Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    context.addIssue({ code: 'custom', message: allowed });
    return z.NEVER;
  });
};

/** A token as it travels in a header, `Authorization: Bearer …`: there a space would end it (RFC 6750 §2.1). */
export const token = (minChars: number) =>
  z
    .string()
    .min(minChars, `must have at least ${minChars} characters`)
    .max(4_096, 'must have at most 4096 characters')
    .regex(/^[!-~]*$/, 'must be of ASCII letters, digits and signs, without spaces');

/** A switch: `--x`, `MUTIRAO_X=true`, `"x": true`. */
export const onOff = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0'])], 'must be true or false')
  .transform((value) => value === true || value === 'true' || value === '1');

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A length of time such as `500ms`, `2s`, `5m`, `12h`, `5d`; a bare number means seconds. Becomes milliseconds. */
export const duration = (minMs: number, maxMs: number) => {
  const allowed = `must be a time from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 500ms, 2s or 5m`;
  return z.union([z.number(), z.string()], allowed).transform((value, context) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(value));
    const ms = match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] ?? 's'] as number);
    if (ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({ code: 'custom', message: allowed });
    return z.NEVER;
  });
};

/** `90000` → `90s`; the largest unit that needs no fraction. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = UNITS[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

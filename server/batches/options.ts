import type { ServerSettings } from '../../config/index.ts';
import type { BatchOptions } from '../../protocol/index.ts';
import type { ResolvedOptions } from './batch.ts';
import { RequestError } from './request-error.ts';

type Defaults = Pick<ServerSettings, 'retryBase' | 'retryCap' | 'retryFor' | 'onUnknown' | 'expires'>;

/** A batch's options over the server's settings. @throws RequestError UNKNOWN_RELAY, EXPIRED */
export function resolveOptions(
  options: BatchOptions,
  defaults: Defaults,
  relays: readonly string[],
  now: number,
): ResolvedOptions {
  const unknown = options.RELAYS?.find((name) => !relays.includes(name));
  if (unknown !== undefined) {
    const known = relays.length === 0 ? 'none is configured' : `known are ${relays.join(', ')}`;
    throw new RequestError('UNKNOWN_RELAY', `no relay is named "${unknown}"; ${known}`, {
      field: 'OPTIONS.RELAYS',
    });
  }
  const ms = (seconds: number | undefined, fallback: number): number =>
    seconds === undefined ? fallback : seconds * 1000;
  const retryForMs = ms(options.RETRY_FOR_S, defaults.retryFor);
  return {
    ...(options.RELAYS === undefined ? {} : { relays: options.RELAYS }),
    retryBaseMs: ms(options.RETRY_BASE_S, defaults.retryBase),
    retryCapMs: ms(options.RETRY_CAP_S, defaults.retryCap),
    retryForMs,
    onUnknown: options.ON_UNKNOWN ?? defaults.onUnknown,
    expiresAt: expiryOf(options.EXPIRES, now) ?? now + Math.max(defaults.expires, retryForMs),
  };
}

/** Seconds from now, or a time. */
function expiryOf(written: BatchOptions['EXPIRES'], now: number): number | undefined {
  if (written === undefined) return undefined;
  if (typeof written === 'number') return now + written * 1000;
  const at = Date.parse(written);
  if (at > now) return at;
  throw new RequestError(
    'EXPIRED',
    `the batch was to be sent before ${written}, which is over: nothing of it would be sent`,
    { field: 'OPTIONS.EXPIRES' },
  );
}

import type { ServerSettings } from '../../config/index.ts';
import type { BatchOptions } from '../../protocol/index.ts';
import type { ResolvedOptions } from './batch.ts';
import { RequestError } from './request-error.ts';

type Defaults = Pick<ServerSettings, 'retryBase' | 'retryCap' | 'retryFor' | 'onUnknown'>;

/** A batch's options over the server's settings. @throws RequestError UNKNOWN_RELAY */
export function resolveOptions(
  options: BatchOptions,
  defaults: Defaults,
  relays: readonly string[],
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
  return {
    ...(options.RELAYS === undefined ? {} : { relays: options.RELAYS }),
    retryBaseMs: ms(options.RETRY_BASE_S, defaults.retryBase),
    retryCapMs: ms(options.RETRY_CAP_S, defaults.retryCap),
    retryForMs: ms(options.RETRY_FOR_S, defaults.retryFor),
    onUnknown: options.ON_UNKNOWN ?? defaults.onUnknown,
  };
}

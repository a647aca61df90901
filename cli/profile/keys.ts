import { serverUrl } from '../../client/index.ts';
import { CliError } from '../errors.ts';

/** What a profile can hold, and what for. */
export const PROFILE_KEYS = {
  server:
    'address of the server, such as ws://127.0.0.1:8765; several, where they share a store, with commas',
  token: 'token that the server asks of clients',
  'tls-ca': 'file with the authority of the certificate of a wss:// server',
  from: 'sender of what is submitted',
  'reply-to': 'where answers go',
} as const;

export type ProfileKey = keyof typeof PROFILE_KEYS;

/** @throws CliError naming the keys there are */
export function profileKey(text: string): ProfileKey {
  if (Object.hasOwn(PROFILE_KEYS, text)) return text as ProfileKey;
  throw new CliError(`the profile has no key "${text}"`, {
    hint: `its keys are: ${Object.keys(PROFILE_KEYS).join(', ')}`,
  });
}

/** The value as it is kept. @throws CliError, CannotConnectError when it cannot be one */
export function profileValue(key: ProfileKey, text: string): string {
  const value = text.trim();
  if (value === '')
    throw new CliError(`${key} is empty`, { hint: `to remove it: mutirao profile unset ${key}` });
  return key === 'server'
    ? value
        .split(/[\s,]+/)
        .map(serverUrl)
        .join(',')
    : value;
}

/** The value as it may be seen: of a token only that there is one. */
export function shownValue(key: ProfileKey, value: string): string {
  return key === 'token' ? `•••••••• (${value.length} characters)` : value;
}

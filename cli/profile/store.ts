import { CliError } from '../errors.ts';
import type { ProfileKey } from './keys.ts';

/** Readable by its owner only: it holds the token. */
const FILE_MODE = 0o600;

export type Profile = Partial<Record<ProfileKey, string>>;

/** The user's profile: one small file in the folder that the system has for such things. */
export interface ProfileStore {
  readonly path: string;
  all(): Profile;
  set(key: ProfileKey, value: string): void;
  unset(key: ProfileKey): boolean;
}

/** @throws CliError when the file cannot be read */
export async function openProfile(): Promise<ProfileStore> {
  const { default: Conf } = await import('conf');
  try {
    const conf = new Conf<Profile>({
      projectName: 'mutirao',
      projectSuffix: '',
      configName: 'profile',
      configFileMode: FILE_MODE,
      accessPropertiesByDotNotation: false,
    });
    return {
      path: conf.path,
      all: () => ({ ...conf.store }),
      set: (key, value) => conf.set(key, value),
      unset: (key) => {
        const known = conf.has(key);
        conf.delete(key);
        return known;
      },
    };
  } catch (cause) {
    throw new CliError(`the profile cannot be read: ${(cause as Error).message}`, {
      hint: 'put its file right or remove it',
      cause,
    });
  }
}

import { readFileSync } from 'node:fs';
import { flagOf, type Loaded, type Setting, type Settings, variableOf } from './setting.ts';

/** A wrong, unknown or unreadable setting: names the key, where it was said and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'CONFIG_INVALID';
}

/** Where settings come from, the strongest first. */
export interface Sources {
  /** By setting name; absent where the flag was not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path of a JSON file, from `--config` or `MUTIRAO_CONFIG`. */
  readonly file?: string;
}

interface Said {
  readonly value: unknown;
  /** How the one who said it would know it: `--port`, `MUTIRAO_PORT`, `"port" in mutirao.json`. */
  readonly where: string;
}

/**
 * Settings from flags, environment and file, in this order of strength, checked and converted.
 * @throws ConfigError at the first value that is not allowed.
 */
export function loadSettings<T extends Settings>(settings: T, sources: Sources): Loaded<T> {
  const file = sources.file === undefined ? {} : readFile(sources.file, settings);
  const loaded: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const said = sayOf(name, setting, sources, file);
    if (said !== undefined) loaded[name] = convert(said, setting);
    else if (setting.fallback !== undefined) loaded[name] = setting.schema.parse(setting.fallback);
  }
  return loaded as Loaded<T>;
}

function sayOf(
  name: string,
  setting: Setting,
  sources: Sources,
  file: Record<string, unknown>,
): Said | undefined {
  const variable = variableOf(name);
  const environment = sources.environment;
  if (sources.flags[name] !== undefined) return { value: sources.flags[name], where: flagOf(name) };
  if (setting.secret === true && sources.flags[`${name}File`] !== undefined) {
    return secretFrom(String(sources.flags[`${name}File`]), `${flagOf(name)}-file`);
  }
  const text = environment[variable];
  if (text !== undefined && text !== '') {
    return { value: setting.repeatable === true ? text.trim().split(/\s+/) : text, where: variable };
  }
  const fileVariable = environment[`${variable}_FILE`];
  if (setting.secret === true && fileVariable !== undefined && fileVariable !== '') {
    return secretFrom(fileVariable, `${variable}_FILE`);
  }
  if (file[name] !== undefined) {
    const isOne = setting.repeatable === true && !Array.isArray(file[name]);
    return { value: isOne ? [file[name]] : file[name], where: `"${name}" in ${sources.file}` };
  }
  if (setting.secret === true && typeof file[`${name}File`] === 'string') {
    return secretFrom(file[`${name}File`] as string, `"${name}File" in ${sources.file}`);
  }
  return undefined;
}

function secretFrom(path: string, where: string): Said {
  try {
    return { value: readFileSync(path, 'utf8').trim(), where: `${where} ${path}` };
  } catch (cause) {
    throw new ConfigError(`${where}: ${path} cannot be read (${(cause as Error).message})`, { cause });
  }
}

function convert(said: Said, setting: Setting): unknown {
  const result = setting.schema.safeParse(said.value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const at = issue?.path.length ? ` (entry ${Number(issue.path[0]) + 1})` : '';
  const shown =
    setting.secret === true || typeof said.value === 'object' ? '' : ` is ${JSON.stringify(said.value)},`;
  throw new ConfigError(`${said.where}${at}${shown} ${issue?.message ?? 'is not allowed'}`);
}

function readFile(path: string, settings: Settings): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const reason =
      cause instanceof SyntaxError
        ? `is not JSON${placeOf(cause)}`
        : `cannot be read: ${(cause as Error).message}`;
    throw new ConfigError(`config file ${path} ${reason}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`config file ${path} must hold one JSON object`);
  }
  for (const key of Object.keys(value)) {
    const known =
      Object.hasOwn(settings, key) || (key.endsWith('File') && settings[key.slice(0, -4)]?.secret === true);
    if (!known)
      throw new ConfigError(
        `config file ${path}: "${key}" is not a setting; known are ${Object.keys(settings).join(', ')}`,
      );
  }
  return value as Record<string, unknown>;
}

/** Where the mistake is. The rest of the engine's message quotes the file, and so perhaps a password. */
function placeOf(error: SyntaxError): string {
  const place = /line \d+ column \d+/.exec(error.message)?.[0];
  return place === undefined ? '' : `: ${place}`;
}

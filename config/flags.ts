import { type Command, Option } from 'commander';
import { loadSettings } from './load.ts';
import { flagOf, type Loaded, type Settings, variableOf } from './setting.ts';

/** Gives a command one flag per setting, and `--config FILE`. */
export function addFlags(command: Command, settings: Settings): Command {
  command.addOption(
    new Option('--config <FILE>', 'JSON file of settings; flags and environment are stronger').env(
      'MUTIRAO_CONFIG',
    ),
  );
  for (const [name, setting] of Object.entries(settings)) {
    const flag = setting.value === undefined ? flagOf(name) : `${flagOf(name)} <${setting.value}>`;
    const option = new Option(
      flag,
      `${setting.description}${defaultNote(setting.fallback)} [${variableOf(name)}]`,
    );
    if (setting.repeatable === true)
      option.argParser((value: string, all: string[] | undefined) => [...(all ?? []), value]);
    command.addOption(option);
    if (setting.secret === true) {
      command.addOption(
        new Option(`${flagOf(name)}-file <FILE>`, `the same, read from a file [${variableOf(name)}_FILE]`),
      );
    }
  }
  return command;
}

function defaultNote(fallback: unknown): string {
  if (fallback === undefined || fallback === false || (Array.isArray(fallback) && fallback.length === 0))
    return '';
  return ` (default: ${Array.isArray(fallback) ? fallback.join(', ') : String(fallback)})`;
}

/** The settings that a parsed command line, the environment and the config file say. @throws ConfigError */
export function settingsOf<T extends Settings>(command: Command, settings: T): Loaded<T> {
  const { config, ...flags } = command.opts<Record<string, unknown>>();
  return loadSettings(settings, {
    flags,
    environment: process.env,
    ...(typeof config === 'string' ? { file: config } : {}),
  });
}

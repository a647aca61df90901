import { Command } from 'commander';
import { actCommands } from './commands/act.ts';
import { duplicatesCommand } from './commands/duplicates.ts';
import { failedCommand } from './commands/failed.ts';
import { mountedCommands } from './commands/mounts.ts';
import { profileCommand } from './commands/profile.ts';
import { resolveCommand } from './commands/resolve.ts';
import { statusCommand } from './commands/status.ts';
import { submitCommand } from './commands/submit.ts';
import { unknownCommand } from './commands/unknown.ts';
import { watchCommand } from './commands/watch.ts';
import { packageVersion } from './version.ts';

const HELP = `
A first try, in three terminals:
  mutirao sink --port 2525
  mutirao server --relay smtp://127.0.0.1:2525
  mutirao worker
and then:
  echo 'Dear {{name}}' | mutirao submit --from me@example.org --subject Hi --text - --to 'You <you@example.net>'

Each command tells more with --help.`;

/** The `mutirao` command. @param args what stands behind the name of the program */
export async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('mutirao')
    .description('Send e-mail in bulk from machines you own')
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('(--help tells more)')
    .addHelpText('after', HELP);
  const add = (heading: string, commands: readonly Command[]) => {
    for (const command of commands)
      program.addCommand(command.helpGroup(heading).copyInheritedSettings(program));
  };
  add('Send:', [submitCommand(), statusCommand(), watchCommand(), failedCommand(), ...actCommands()]);
  add('Settle doubts:', [unknownCommand(), resolveCommand(), duplicatesCommand()]);
  add('Settings:', [profileCommand()]);
  add('Run:', await mountedCommands(args));
  program.addHelpCommand(
    new Command('help')
      .argument('[command]')
      .description('Show the help of a command')
      .helpGroup('Settings:'),
  );
  return program;
}

import { Command } from 'commander';
import { type ConnectionFlags, withConnection } from '../connection.ts';
import { Output } from '../output.ts';

interface Flags extends ConnectionFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `mutirao watch BATCH`. */
export function watchCommand(): Command {
  const command = new Command('watch')
    .description('Follow a batch to its end, as submit does')
    .argument('<batch>', 'identifier of the batch, as submit and status print it');
  return withConnection(command)
    .option('--quiet', 'no progress')
    .option('--json', 'print the outcome as one line of JSON')
    .addHelpText(
      'after',
      '\nExit code: as of submit.\n\nExample:\n  mutirao watch 01939c6e-6b1f-7000-8000-0000000000dd',
    )
    .action(async (batch: string, flags: Flags) => {
      const { runWatch } = await import('../watch.ts');
      process.exitCode = await runWatch(batch, flags, new Output(flags.json === true));
    });
}

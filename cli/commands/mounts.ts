import { Command } from 'commander';

/** A command of another part: a line of help at once, and the rest when it is asked for. */
interface Mount {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<Command>;
}

const MOUNTS: readonly Mount[] = [
  {
    name: 'server',
    description: 'Run a server: it keeps batches and hands tasks to workers',
    load: async () => (await import('../../server/command.ts')).serverCommand(),
  },
  {
    name: 'worker',
    description: 'Run a worker: it takes tasks from a server and sends them',
    load: async () => (await import('../../worker/command.ts')).workerCommand(),
  },
  {
    name: 'sink',
    description: 'Run an SMTP server to try things against: it takes every mail and delivers none',
    load: async () => (await import('../../sink/command.ts')).sinkCommand(),
  },
];

/**
 * The commands of the other parts. Only the one that the command line names is loaded: `mutirao submit` starts without
 * reading a server. The others stand in the help with their line.
 */
export async function mountedCommands(args: readonly string[]): Promise<readonly Command[]> {
  const wanted = args[0] === 'help' ? args[1] : args[0];
  return Promise.all(
    MOUNTS.map(async ({ name, description, load }) =>
      name === wanted ? load() : new Command(name).description(description),
    ),
  );
}

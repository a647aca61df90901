import { Command } from 'commander';
import type { Changed, MutiraoClient } from '../../client/index.ts';
import { type ConnectionFlags, connectBy, withConnection } from '../connection.ts';
import { CliError } from '../errors.ts';
import { batchJson } from '../follow.ts';
import { count } from '../format.ts';
import { Output } from '../output.ts';

interface Action {
  readonly name: 'pause' | 'resume' | 'cancel' | 'retry';
  readonly description: string;
  readonly note: string;
  readonly done: (changed: Changed) => string;
  /** There is `--all`. */
  readonly all?: boolean;
}

const ACTIONS: readonly Action[] = [
  {
    name: 'pause',
    description: 'Send nothing more of a batch for now',
    note: 'What is being sent is finished. Go on with: mutirao resume BATCH',
    done: () => 'is paused',
  },
  {
    name: 'resume',
    description: 'Go on with a paused batch',
    note: 'Watch it with: mutirao watch BATCH',
    done: () => 'goes on',
    all: true,
  },
  {
    name: 'cancel',
    description: 'Send nothing more of a batch, ever',
    note: 'What is being sent is finished; what is sent stays sent. To stop for a while use pause.',
    done: ({ batch }) =>
      `is cancelled: ${count(batch.counts.sent)} were sent, ${count(batch.counts.cancelled)} will not be`,
  },
  {
    name: 'retry',
    description: 'Send the failed recipients of a batch again, and only those',
    note: 'List them before with: mutirao failed BATCH',
    done: ({ changed }) =>
      changed === 0
        ? 'has no failed recipients; nothing is sent again'
        : `sends to ${count(changed)} failed recipients again`,
  },
];

/** `mutirao pause`, `resume`, `cancel` and `retry`. */
export function actCommands(): readonly Command[] {
  return ACTIONS.map((action) => {
    const command = new Command(action.name)
      .description(action.description)
      .argument(action.all === true ? '[batch]' : '<batch>', 'identifier of the batch');
    if (action.all === true) command.option('--all', 'every batch of the server that is paused');
    return withConnection(command)
      .option('--json', 'print the batch as one line of JSON')
      .addHelpText(
        'after',
        `\n${action.note}\n\nExample:\n  mutirao ${action.name} 01939c6e-6b1f-7000-8000-0000000000dd`,
      )
      .action(async (id: string | undefined, flags: ConnectionFlags & { json?: boolean; all?: boolean }) => {
        const out = new Output(flags.json === true);
        if ((id === undefined) !== (flags.all === true)) {
          throw new CliError('give either the identifier of a batch or --all', { hint: 'mutirao status' });
        }
        await using client = await connectBy(flags);
        if (id === undefined) return await resumeAll(client, out);
        const changed = await act(client, action.name, id);
        if (!out.json) out.say(`batch ${id} ${action.done(changed)}`);
        out.result({ ...batchJson(changed.batch), changed: changed.changed });
      });
  });
}

async function resumeAll(client: MutiraoClient, out: Output): Promise<void> {
  const batches = await client.resumeAll();
  if (!out.json) {
    out.say(
      batches.length === 0 ? 'no batch is paused' : batches.map(({ id }) => `batch ${id} goes on`).join('\n'),
    );
  }
  out.result({ batches: batches.map(batchJson) });
}

function act(client: MutiraoClient, name: Action['name'], batch: string): Promise<Changed> {
  switch (name) {
    case 'pause':
      return client.pause(batch);
    case 'resume':
      return client.resume(batch);
    case 'cancel':
      return client.cancel(batch);
    case 'retry':
      return client.retry(batch);
    default: {
      const never: never = name;
      return never;
    }
  }
}

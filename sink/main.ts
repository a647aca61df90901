import { sinkCommand } from './command.ts';

await sinkCommand().parseAsync();

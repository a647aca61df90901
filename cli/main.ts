import { EXIT } from './errors.ts';
import { explain } from './explain.ts';
import { createProgram } from './program.ts';

const args = process.argv.slice(2);

// `mutirao failed … | head` closes the pipe: nobody reads any more, and that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode);
  throw error;
});

try {
  const program = await createProgram(args);
  await program.parseAsync(args, { from: 'user' });
} catch (error) {
  const { code, message, hint } = explain(error);
  process.stderr.write(`mutirao: ${message}\n`);
  if (hint !== undefined) process.stderr.write(`  ${hint}\n`);
  if (args.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
  process.exitCode = EXIT.error;
}

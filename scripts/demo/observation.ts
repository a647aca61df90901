import { z } from 'zod';
import type { MutiraoClient } from '../../client/index.ts';

/** What the demo shows of a server. The server says more; unknown keys are left out. */
const ServerState = z.object({
  backlog: z.number(),
  sending: z.number(),
  rate: z.number(),
  workersTotal: z.number(),
  relays: z.array(z.object({ name: z.string(), breaker: z.string() })),
  mesh: z.object({
    lent: z.array(z.unknown()),
    borrowed: z.array(z.unknown()),
    expected: z.number(),
    totals: z.object({ made: z.number(), returned: z.number(), lost: z.number() }),
  }),
});
export type ServerState = z.infer<typeof ServerState>;

/** A server's state; undefined while it does not answer. */
export async function observe(client: MutiraoClient): Promise<ServerState | undefined> {
  const parsed = ServerState.safeParse(await client.server().catch(() => undefined));
  return parsed.success ? parsed.data : undefined;
}

/** Whether every worker that was lent is at home again. */
export function allHome(states: readonly (ServerState | undefined)[]): boolean {
  return states.every(
    (state) =>
      state !== undefined &&
      state.mesh.lent.length === 0 &&
      state.mesh.borrowed.length === 0 &&
      state.mesh.expected === 0,
  );
}

import { expect, onTestFinished } from 'vitest';
import { openPostgresStore } from '../../../server/store/index.ts';
import { testDatabase } from '../../support/postgres.ts';
import { type Submitted, Town } from './town.ts';
import type { ServerAccount, ServerOptions, TownServer } from './town-server.ts';

/** How long the servers of these tests wait for each other, the shortest that can be chosen. */
export const OWNER_LEASE_MS = 1_000;
/** More batches than any test submits. */
const ALL_BATCHES = 100;

/** What a server says of itself where it shares its store. */
export interface OwnerAccount {
  readonly held: boolean;
  readonly adopted: number;
  readonly fenced: number;
  readonly servers: readonly { readonly uuid: string; readonly url: string; readonly live: boolean }[];
}

/** A town whose servers keep their batches in one PostgreSQL. In the end every batch in it is read from end to end. */
export class SharedTown {
  readonly town: Town;
  readonly database: string;
  readonly servers: TownServer[] = [];

  private constructor(town: Town, database: string) {
    this.town = town;
    this.database = database;
  }

  /** @param database one of its own unless given */
  static async raise(database?: string): Promise<SharedTown> {
    const address = database ?? (await testDatabase());
    // What is set up last is cleaned up first: here, the processes before their store is read.
    onTestFinished(() => expectSound(address));
    return new SharedTown(await Town.raise(), address);
  }

  async server(options: Partial<ServerOptions> = {}): Promise<TownServer> {
    const args = ['--owner-lease', `${OWNER_LEASE_MS}ms`, '--drain', '5s', ...(options.args ?? [])];
    const server = await this.town.server({ ...options, args, env: { MUTIRAO_STORE: this.database } });
    this.servers.push(server);
    return server;
  }

  /** Three servers, each of which knows that the others live. */
  async threeServers(): Promise<[TownServer, TownServer, TownServer]> {
    const servers = await Promise.all([this.server(), this.server(), this.server()]);
    for (const server of servers) {
      await server.until(
        'it knows the others',
        (account) => ownerOf(account).servers.filter(({ live }) => live).length === servers.length,
      );
    }
    return servers;
  }

  /** The same batch, asked at another server. */
  at(server: TownServer, { id }: Submitted): Submitted {
    return { server, id };
  }

  /** The server that has adopted, of these. */
  async adopter(servers: readonly TownServer[]): Promise<TownServer> {
    const lines = servers.map(async (server) => {
      await server.process.logged(/^adopted: /);
      return server;
    });
    return Promise.any(lines);
  }
}

/** The part of a server's account that tells of the store it shares. */
export function ownerOf(account: ServerAccount): OwnerAccount {
  return (account as ServerAccount & { readonly owner: OwnerAccount }).owner;
}

async function expectSound(database: string): Promise<void> {
  const store = openPostgresStore({ url: database });
  await store.start();
  try {
    for (const { uuid } of await store.listBatches(ALL_BATCHES)) {
      const { problems } = await store.audit(uuid);
      expect(problems, `batch ${uuid}`).toEqual([]);
    }
  } finally {
    await store.stop();
  }
}

import { countSeqs } from '../../../protocol/index.ts';
import type { ServerNode, ServerRun } from '../town/server-node.ts';
import type { Town } from '../town/town.ts';
import { type Observed, Violation } from './violation.ts';

/** A worker or server that was disturbed so long ago, in leases, is as if it had not been. */
const LEASES_UNTIL_CALM = 3;
/** And this long ago beyond that: connections that nobody uses are closed, ms. */
const SESSIONS_END_MS = 60_000;

/** What must hold at any time. @throws Violation */
export function checkNow(watch: Observed): void {
  const { town } = watch;
  for (const server of town.servers) {
    checkSums(server);
    const { run } = server;
    if (run === undefined || !run.isListening) continue;
    if (run.store.isQuiet && run.core.phase === 'running') checkMemory(server, run);
    checkGrants(server, run);
  }
  checkPlaces(watch);
  checkMutualLoans(watch);
  checkConnections(watch);
}

function checkSums({ name, disk }: ServerNode): void {
  for (const [uuid, { model }] of disk.batches) {
    const counted = model.recount();
    const { total, ...states } = model.figures.counts;
    const sum = Object.values(states).reduce((all, one) => all + one, 0);
    if (sum !== total || JSON.stringify(counted) !== JSON.stringify(model.figures.counts))
      throw new Violation('states sum up', `${uuid} of ${name}: ${JSON.stringify(model.figures.counts)}`);
  }
}

/** Leases and figures that a server has in memory against those on its disk. */
function checkMemory({ name, disk }: ServerNode, { core }: ServerRun): void {
  const onDisk = new Map(disk.leases().map((lease) => [lease.task, countSeqs(lease.remaining)]));
  for (const lease of core.leases.all()) {
    const remaining = onDisk.get(lease.task) ?? 0;
    if (remaining > lease.remaining)
      throw new Violation(
        'memory is the disk',
        `${name}: lease ${lease.task} has ${lease.remaining} in memory, ${remaining} on disk`,
      );
    onDisk.delete(lease.task);
  }
  for (const task of onDisk.keys())
    throw new Violation('memory is the disk', `${name} has forgotten the lease ${task}`);
  for (const [uuid, { model }] of disk.batches) {
    const active = core.book.get(uuid);
    if (active === undefined) {
      if (model.finishedAt === undefined)
        throw new Violation('memory is the disk', `${name} has forgotten the batch ${uuid}`);
    } else if (JSON.stringify(active.figures.counts) !== JSON.stringify(model.figures.counts)) {
      throw new Violation(
        'memory is the disk',
        `${name}, ${uuid}: ${JSON.stringify(active.figures.counts)} in memory, ${JSON.stringify(model.figures.counts)} on disk`,
      );
    }
  }
}

/** What a server has granted of a relay's connections. */
function checkGrants({ name }: ServerNode, { core }: ServerRun): void {
  for (const relay of core.relays.snapshot() as readonly {
    name: string;
    connections: number;
    limit?: number;
  }[]) {
    if (relay.limit !== undefined && relay.connections > relay.limit)
      throw new Violation(
        'relay limits',
        `${name} grants ${relay.connections} connections to ${relay.name}, which takes ${relay.limit}`,
      );
  }
}

/** Connections that relays see, as long as nobody was cut off who may still have some. */
function checkConnections({ town }: Observed): void {
  for (const [i, plan] of town.scenario.servers.entries()) {
    const server = town.servers[i] as ServerNode;
    for (const { settings } of plan.relays) {
      if (settings.connections === undefined) continue;
      const relay = town.relays.get(settings.host);
      if (relay === undefined) continue;
      let count = 0;
      for (const [, one] of relay.connections()) count += one;
      if (count <= settings.connections) continue;
      if (!isCalm(town, server)) continue;
      throw new Violation(
        'relay limits',
        `${settings.host} has ${count} connections, and takes ${settings.connections}`,
      );
    }
  }
}

/** Nobody has been disturbed for a while: a lease that was lost is over on both sides. */
function isCalm({ events, workers, scenario }: Town, server: ServerNode): boolean {
  if (scenario.faults.length === 0) return true;
  const since = events.now - LEASES_UNTIL_CALM * server.settings.lease - SESSIONS_END_MS;
  const isDisturbed = [server, ...workers].some(({ disturbedAt }) => disturbedAt > since);
  return !isDisturbed && scenario.faultsUntil < since;
}

function checkPlaces({ town }: Observed): void {
  const most = town.scenario.fallbacks ? 2 : 1;
  for (const { name, run } of town.workers) {
    if (run === undefined) continue;
    const open = [...town.network.socketsOf(run.process)].filter(
      (socket) => socket.readyState === socket.OPEN,
    );
    if (open.length > most)
      throw new Violation('loans conserved', `${name} is in ${open.length} places at a time`);
  }
}

function checkMutualLoans({ town }: Observed): void {
  const lends = new Set<string>();
  for (const { uuid, run } of town.servers) {
    for (const loan of run?.core.mesh.snapshot().lent ?? [])
      if (loan.state === 'there') lends.add(`${uuid} ${loan.borrower}`);
  }
  for (const pair of lends) {
    const [from = '', to = ''] = pair.split(' ');
    if (from < to && lends.has(`${to} ${from}`))
      throw new Violation('no ping-pong', `${from} and ${to} lend workers to each other`);
  }
}

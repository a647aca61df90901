import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { type Site, World } from './world.ts';

const SERVERS = 3;
const STEP_MS = 100;

const server = fc.nat(SERVERS - 1);
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      server,
      count: fc.integer({ min: 100, max: 15_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), server }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), server, other: server }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mend' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reconnect' as const), worker: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), worker: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('launch' as const), server }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('lag' as const), ms: fc.integer({ min: 100, max: 20_000 }) }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

/** What must hold at every moment. */
function checkNow(world: World): void {
  for (const worker of world.workers) {
    const places = world.servers.filter((site) => site.connected.get(worker.uuid) === worker);
    expect(places.length).toBeLessThanOrEqual(1);
    const homes = world.servers.filter(
      (site) => site.isUp && site.mesh.snapshot().lent.some((loan) => loan.worker === worker.uuid),
    );
    for (const home of homes) expect(home).toBe(worker.home);
  }
  for (const site of world.servers) {
    if (!site.isUp) continue;
    const { lent, totals } = site.mesh.snapshot();
    expect(totals.made).toBe(lent.length + totals.returned + totals.lost);
    expect(new Set(lent.map((loan) => loan.worker)).size).toBe(lent.length);
  }
}

/** What must have held whenever somebody was sent away. */
function checkRedirects(world: World, restarts: ReadonlyMap<Site, readonly number[]>): void {
  for (const site of world.servers) {
    for (const redirect of site.redirects) {
      expect(redirect.homeAfter).toBeGreaterThanOrEqual(site.settings.keepHome);
      expect(redirect.saturation).toBe('relaxed');
      expect(redirect.guests).toBe(0);
      // Who borrows lends to nobody until it has cooled down: no two servers send workers to and fro.
      const target = world.servers.find(
        (other) => other.address.PORT === redirect.message.TARGET_MASTER.PORT,
      );
      for (const back of target?.redirects ?? []) {
        if (back.message.TARGET_MASTER.PORT !== site.address.PORT) continue;
        const [from, to] = [redirect.at, back.at].sort((a, b) => a - b) as [number, number];
        const forgot = [site, target].some((one) =>
          restarts.get(one as Site)?.some((at) => at >= from && at <= to),
        );
        if (!forgot) expect(to - from).toBeGreaterThanOrEqual(site.settings.coolDownMs);
      }
    }
  }
}

async function run(events: readonly [Event, number][], seed: number): Promise<void> {
  const clock = new VirtualClock();
  const network = new VirtualNetwork(clock);
  let chance = seed;
  const random = () => {
    chance = (chance * 1_103_515_245 + 12_345) % 2_147_483_648;
    return chance / 2_147_483_648;
  };
  const world = new World(clock, network, random);
  const restarts = new Map<Site, number[]>();
  const submitted = new Map<Site, number>();
  const first = await world.addServer({ workers: 3 });
  for (let i = 1; i < SERVERS; i += 1) await world.addServer({ workers: 2 + i, peers: [first.address] });
  const siteOf = (i: number) => world.servers[i] as Site;
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await clock.advance(STEP_MS);
      checkNow(world);
    }
  };
  await pass(3_000);
  for (const [happens, after] of events) {
    switch (happens.kind) {
      case 'submit':
        if (!siteOf(happens.server).isUp) break;
        submitted.set(siteOf(happens.server), (submitted.get(siteOf(happens.server)) ?? 0) + happens.count);
        siteOf(happens.server).submit(happens.count);
        break;
      case 'crash': {
        const site = siteOf(happens.server);
        if (site.isUp) await site.crash();
        else await site.start();
        restarts.set(site, [...(restarts.get(site) ?? []), clock.monotonic()]);
        break;
      }
      case 'cut':
        network.cut(siteOf(happens.server).address, siteOf(happens.other).address);
        break;
      case 'mend':
        network.mend();
        break;
      case 'reconnect':
        world.workers[happens.worker % world.workers.length]?.reconnect();
        break;
      case 'kill':
        world.workers[happens.worker % world.workers.length]?.kill();
        break;
      case 'launch':
        world.addWorker(siteOf(happens.server));
        break;
      case 'lag':
        clock.freeze(happens.ms);
        break;
      default:
        happens satisfies never;
    }
    await pass(after);
  }
  // In the end everything works again, everybody comes home and everything is done.
  network.mend();
  for (const site of world.servers) {
    if (!site.isUp) await site.start();
    world.addWorker(site);
  }
  await clock.advance(600_000);
  checkNow(world);
  checkRedirects(world, restarts);
  for (const site of world.servers) {
    expect(site.settled).toBe(submitted.get(site) ?? 0);
    expect(site.mesh.snapshot()).toMatchObject({ lent: [], borrowed: [], saturation: 'relaxed' });
    expect(site.store.open.size).toBe(0);
    const { made, returned, lost } = site.store.totals;
    expect(made).toBe(returned + lost);
  }
  for (const worker of world.workers) if (!worker.isDead) expect(worker.at).toBe(worker.home);
  await world.stop();
}

test('whatever happens, nobody is in two places, loans add up, keepHome stay, and all come home', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(event, fc.integer({ min: 0, max: 8_000 })), { maxLength: 12 }),
      fc.nat(1_000_000),
      run,
    ),
    { numRuns: 25 },
  );
});

import type { Bug } from './bugs.ts';
import { Chance } from './engine/chance.ts';
import { RANK, settled } from './engine/events.ts';
import { type Scenario, scenarioOf } from './scenario.ts';
import { Faults } from './town/faults.ts';
import { Town } from './town/town.ts';
import type { Invariant } from './watch/violation.ts';
import { Watch } from './watch/watch.ts';

/** How often it is looked whether everything has come to its end, virtual ms. */
const LOOK_EVERY_MS = 1_000;
/** More events than any story of its kind has: something turns round and round. */
const MOST_STEPS = { small: 2_000_000, medium: 6_000_000, large: 40_000_000 };

export interface StoryOptions {
  /** Told of faults and of every line of a log, with the time of the story. */
  readonly tell?: (line: string) => void;
  /** A deliberate mistake. */
  readonly bug?: Bug;
}

/** How a story went. */
export interface Story {
  readonly seed: number;
  readonly size: Scenario['size'];
  readonly steps: number;
  readonly virtualMs: number;
  /** The same for the same story. */
  readonly trace: string;
  readonly faults: number;
  readonly loans: number;
  readonly mails: number;
  readonly violation:
    | { readonly invariant: Invariant; readonly detail: string; readonly at: number }
    | undefined;
}

/** Plays the story of a seed from its beginning until all is finished and everybody is home, or until something is not as it must be. */
export async function simulate(seed: number, options: StoryOptions = {}): Promise<Story> {
  const unpatch = options.bug?.patch?.();
  try {
    return await tellStory(seed, options);
  } finally {
    unpatch?.();
  }
}

async function tellStory(seed: number, options: StoryOptions): Promise<Story> {
  const scenario = scenarioOf(seed);
  const watch = new Watch();
  const town = new Town(scenario, watch, options.tell !== undefined, options.bug?.sabotage);
  watch.observe(town);
  const { events } = town;
  const tell = (what: string): void => options.tell?.(`${stamp(events.now)} ${what}`);
  if (options.tell !== undefined) {
    watch.onSaid = (who, level, fields, message) => tell(`${who} ${level} ${message} ${jsonOf(fields)}`);
  }
  const chance = new Chance(seed, 'story');
  const faults = new Faults(town, {
    chance: chance.branch('faults'),
    tell: (what) => tell(`*** ${what}`),
    replayTicket: () => replayTicket(),
  });
  const replayTicket = (): void =>
    watch.tickets.replay(
      town,
      (from) => chance.pick(from),
      (loan, server) => watch.ticketAdmitted(loan, server),
    );
  begin(town, chance);
  faults.start();
  await play(town, watch, faults, { tell, replayTicket });
  return {
    seed,
    size: scenario.size,
    steps: events.steps,
    virtualMs: Math.round(events.now),
    trace: events.trace,
    faults: faults.count,
    loans: watch.loans,
    mails: watch.accepts.size,
    violation:
      watch.violation === undefined
        ? undefined
        : {
            invariant: watch.violation.invariant,
            detail: watch.violation.message,
            at: Math.round(events.now),
          },
  };
}

function begin({ events, servers, workers, client, scenario }: Town, chance: Chance): void {
  for (const server of servers) events.at(chance.between(0, 500), RANK.line, 'start', () => server.start());
  for (const worker of workers) events.at(chance.between(0, 1_500), RANK.line, 'start', () => worker.start());
  for (const { key, server, at, recipients, onUnknown, expiresS } of scenario.batches) {
    const target = servers[server];
    if (target === undefined) throw new RangeError(`there is no server ${server}`);
    events.at(at, RANK.line, 'submit', () =>
      client.submit({ key, server: target, recipients, onUnknown, expiresS }),
    );
  }
}

async function play(
  town: Town,
  watch: Watch,
  faults: Faults,
  { tell, replayTicket }: { tell: (what: string) => void; replayTicket: () => void },
): Promise<void> {
  const { events, scenario } = town;
  const endsAt = scenario.faultsUntil + scenario.healWithinMs;
  let isMended = false;
  let lookAt = scenario.faultsUntil;
  while (events.step()) {
    await settled();
    watch.afterStep();
    if (watch.violation !== undefined) return;
    if (events.now < lookAt) continue;
    lookAt = events.now + LOOK_EVERY_MS;
    if (!isMended) {
      isMended = true;
      tell('*** everything is mended');
      faults.end();
    }
    goOn(town);
    if (scenario.faults.includes('replayTicket')) replayTicket();
    if (watch.isAtRest() || events.now > endsAt || events.steps > MOST_STEPS[scenario.size]) break;
  }
  watch.checkEnd();
}

/** What somebody paused goes on, and who was told to stop is started again. */
function goOn({ servers, workers, client }: Town): void {
  for (const server of servers) {
    server.start();
    for (const [uuid, { model }] of server.disk.batches)
      if (model.state === 'PAUSED') client.act(server, { CLIENT: 'RESUME', BATCH_UUID: uuid });
  }
  for (const worker of workers) worker.start();
}

const stamp = (ms: number): string => (ms / 1_000).toFixed(3).padStart(9);

function jsonOf(fields: object): string {
  const { err, ...rest } = fields as { err?: { message?: string } };
  return JSON.stringify(err === undefined ? rest : { ...rest, err: err.message });
}

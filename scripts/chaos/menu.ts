import { seededRandom } from '../../sink/pace.ts';

/** Whom a process fault meets. */
export type Part = 'worker' | 'server' | 'sink' | 'database';
/** Between whom a network fault shows. */
export const LINKS = [
  'client-server',
  'worker-server',
  'server-server',
  'worker-relay',
  'server-database',
] as const;
export type Link = (typeof LINKS)[number];

/** What is done, to whom, and for how long. `index` counts the parts or the links of that kind. */
export type Fault =
  /** `kill -9`, and a start `forMs` later. */
  | { readonly kind: 'kill'; readonly part: Part; readonly index: number; readonly forMs: number }
  /** SIGSTOP for longer than a lease, then SIGCONT. */
  | { readonly kind: 'freeze'; readonly part: Part; readonly index: number; readonly forMs: number }
  /** Every byte comes `byMs` late. */
  | {
      readonly kind: 'delay';
      readonly link: Link;
      readonly index: number;
      readonly byMs: number;
      readonly forMs: number;
    }
  /** Nothing passes; then everything that waited, or the lines are cut. */
  | {
      readonly kind: 'stall';
      readonly link: Link;
      readonly index: number;
      readonly cut: boolean;
      readonly forMs: number;
    }
  /** Every open line is reset. */
  | { readonly kind: 'cut'; readonly link: Link; readonly index: number }
  /** One side, the one that called or the one that was called, is told that the other has ended. */
  | {
      readonly kind: 'half-close';
      readonly link: Link;
      readonly index: number;
      readonly side: 'caller' | 'called';
    }
  /** New connections to a relay get this instead of its greeting, and no more; empty: are closed without a word. */
  | { readonly kind: 'greet'; readonly index: number; readonly reply: string; readonly forMs: number }
  /** The next mails' replies to the final dot are swallowed, and their lines cut. */
  | { readonly kind: 'cut-after-dot'; readonly index: number; readonly times: number };

export interface PlannedFault {
  /** Since the start, ms. */
  readonly atMs: number;
  readonly fault: Fault;
}

export interface MenuSettings {
  readonly seed: number;
  readonly seconds: number;
  readonly leaseMs: number;
  /** How many there are of each. */
  readonly parts: Readonly<Record<Part, number>>;
  readonly links: Readonly<Record<Link, number>>;
}

/** One fault is chosen in each of these, ms: four a second. */
const SLOT_MS = 250;
/** After a kill or a stop, a process is left alone for so long to come back, ms. */
const PROCESS_REST_MS = 1_500;
/** Dice thrown for a slot whose choices concern someone who is busy with an earlier fault. */
const TRIES = 20;

const REPLIES = [
  '421 4.3.2 Too busy\r\n',
  '554 5.3.2 No service here\r\n',
  '450 4.7.0 Later\r\n',
  '',
] as const;

type Kind = Fault['kind'] | `${'kill' | 'freeze'}-${Part}`;

/** How often each is chosen, relative to the others. Processes need seconds to come back, so they are hit less often than lines. */
const WEIGHTS: readonly (readonly [Kind, number])[] = [
  ['kill-worker', 9],
  ['kill-server', 4],
  ['kill-sink', 3],
  ['kill-database', 2],
  ['freeze-worker', 5],
  ['freeze-server', 2],
  ['delay', 16],
  ['stall', 12],
  ['cut', 18],
  ['half-close', 10],
  ['greet', 9],
  ['cut-after-dot', 10],
];

/**
 * The faults of a run, in order of time: the same settings give the same ones. Four a second; all are over by the end. Nobody is
 * met by two faults of a process, and no line by two lasting faults, at once.
 */
export function planFaults(settings: MenuSettings): PlannedFault[] {
  const random = seededRandom(settings.seed);
  const endMs = settings.seconds * 1000;
  const busyUntil = new Map<string, number>();
  const planned: PlannedFault[] = [];
  for (let slot = 0; (slot + 1) * SLOT_MS <= endMs; slot++) {
    const atMs = Math.floor((slot + random()) * SLOT_MS);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const fault = chooseFault(random, settings);
      const lastsUntil = atMs + ('forMs' in fault ? fault.forMs : 0);
      const victim = victimOf(fault);
      if (lastsUntil > endMs || (busyUntil.get(victim) ?? 0) > atMs) continue;
      if ('forMs' in fault) busyUntil.set(victim, lastsUntil + ('part' in fault ? PROCESS_REST_MS : 0));
      planned.push({ atMs, fault });
      break;
    }
  }
  return planned;
}

/** A fault in a few words. */
export function nameOf(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
    case 'freeze':
      return `${fault.kind} ${victimOf(fault)} ${fault.forMs} ms`;
    case 'delay':
      return `delay ${victimOf(fault)} by ${fault.byMs} ms for ${fault.forMs} ms`;
    case 'stall':
      return `stall ${victimOf(fault)} ${fault.forMs} ms${fault.cut ? ', then cut' : ''}`;
    case 'cut':
      return `cut ${victimOf(fault)}`;
    case 'half-close':
      return `half-close ${victimOf(fault)}, the ${fault.side}'s side`;
    case 'greet':
      return `${victimOf(fault)} ${fault.reply === '' ? 'closes' : `says ${fault.reply.slice(0, 3)}`} instead of a greeting for ${fault.forMs} ms`;
    case 'cut-after-dot':
      return `cut ${victimOf(fault)} after the dot, ${fault.times} times`;
    default:
      return fault satisfies never;
  }
}

/** Whom a fault keeps busy. */
function victimOf(fault: Fault): string {
  if ('part' in fault) return `${fault.part}-${fault.index + 1}`;
  return `${'link' in fault ? fault.link : 'worker-relay'}-${fault.index + 1}`;
}

type Random = () => number;

function chooseFault(random: Random, settings: MenuSettings): Fault {
  const { parts, links, leaseMs } = settings;
  const possible = WEIGHTS.filter(([kind]) => {
    const part = /^(?:kill|freeze)-(.*)$/.exec(kind)?.[1] as Part | undefined;
    return part === undefined || parts[part] > 0;
  });
  const kind = weighted(random, possible);
  const between = (least: number, most: number): number => Math.round(least + random() * (most - least));
  const oneOf = (count: number): number => Math.floor(random() * count);
  const someLink = (): { link: Link; index: number } => {
    const present = LINKS.filter((link) => links[link] > 0);
    const link = present[oneOf(present.length)] as Link;
    return { link, index: oneOf(links[link]) };
  };
  switch (kind) {
    case 'delay':
      return { kind, ...someLink(), byMs: between(10, 500), forMs: between(500, 3_000) };
    case 'stall':
      return { kind, ...someLink(), cut: random() < 0.5, forMs: between(300, leaseMs + 1_000) };
    case 'cut':
      return { kind, ...someLink() };
    case 'half-close':
      return { kind, ...someLink(), side: random() < 0.5 ? 'caller' : 'called' };
    case 'greet':
      return {
        kind,
        index: oneOf(links['worker-relay']),
        reply: REPLIES[oneOf(REPLIES.length)] as string,
        forMs: between(300, 1_500),
      };
    case 'cut-after-dot':
      return { kind, index: oneOf(links['worker-relay']), times: between(1, 3) };
    default: {
      const [what, part] = kind.split('-') as ['kill' | 'freeze', Part];
      // Where servers share a database, one that is gone for long has its batches adopted.
      const isAdopted = part === 'server' && parts.database > 0;
      const forMs =
        what === 'kill'
          ? between(100, isAdopted ? leaseMs + 2_000 : 1_500)
          : between(leaseMs + 500, leaseMs + 2_000);
      return { kind: what, part, index: oneOf(parts[part]), forMs };
    }
  }
}

function weighted<T>(random: Random, choices: readonly (readonly [T, number])[]): T {
  let dart = random() * choices.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [choice, weight] of choices) {
    dart -= weight;
    if (dart < 0) return choice;
  }
  throw new Error('there is nothing to choose from');
}

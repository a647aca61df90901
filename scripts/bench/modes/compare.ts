import type { Bench, Findings } from '../bench.ts';
import { BullMq } from '../contenders/bullmq.ts';
import { Mutirao } from '../contenders/mutirao.ts';
import { Rival } from '../contenders/rival.ts';
import { SmtpSource } from '../contenders/smtp-source.ts';
import { startSink } from '../relays/sink.ts';
import { rowsOf } from '../results.ts';
import { partsOf, tableOf } from '../table.ts';
import { type Entrant, type Turns, takeTurns } from './taking-turns.ts';

/** Part of a round that everybody sends before the first, so that nobody is measured while compiling. */
const WARM_UP = 0.5;
/** Those who compose every mail by themselves are ten and more times slower; less so with large mail. */
const SLOW = 0.05;
const SLOW_WITH_LARGE = 0.25;
/** Mail above this size is sent in smaller numbers, unless the number was asked for. */
const SMALL_BYTES = 4_096;

/** Everybody side by side, sending to a sink that is near. */
export async function compare(bench: Bench): Promise<Findings> {
  const { options, say } = bench;
  const { mails, connections, processes, offline, store } = options;
  const sink = await startSink({ offline });
  try {
    say(`sink: ${sink.name}`);
    say(
      `${mails} mails a round, ${connections} connections, worker processes: ${processes}, store: ${store}`,
    );
    const all: Turns[] = [];
    for (const bytes of options.bytes) {
      const slow = bytes > SMALL_BYTES ? SLOW_WITH_LARGE : SLOW;
      const entrants: Entrant[] = [
        { contender: new Mutirao({ relay: sink, processes, connections, store }), share: 1 },
        { contender: new Rival('nodemailer-pool', sink, connections), share: slow },
        { contender: new Rival('nodemailer-connection', sink, connections), share: 1 },
        { contender: new BullMq(sink, connections, { offline }), share: slow },
        { contender: new SmtpSource(sink, connections, { offline }), share: 1 },
      ];
      const fewer = options.mailsGiven ? 1 : Math.max(1, bytes / SMALL_BYTES);
      const load = { bytes, mails: Math.round(mails / fewer), warmUp: WARM_UP };
      all.push(await takeTurns(bench, entrants, load, sink.pid));
    }
    const rows = rowsOf(all.flatMap(({ rounds }) => rounds));
    return {
      sink: sink.name,
      settings: { mails, connections, processes, store },
      rows,
      table: [...tableOf(rows), '', ...partsOf(rows)],
      skipped: all[0]?.skipped,
    };
  } finally {
    await sink.stop();
  }
}

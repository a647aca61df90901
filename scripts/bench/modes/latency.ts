import type { Bench, Findings } from '../bench.ts';
import { Mutirao } from '../contenders/mutirao.ts';
import { Rival } from '../contenders/rival.ts';
import { ownSink } from '../relays/sink.ts';
import { BASES, type ResultRow, rowsOf } from '../results.ts';
import { rounded, type Spread } from '../statistics.ts';
import { figure, range, textTable } from '../text-table.ts';
import { takeTurns } from './taking-turns.ts';

const WARM_UP = 0.2;
/** The pool takes two and more times as long. */
const POOL_SHARE = 0.25;
const POOL = BASES[0] ?? '';

interface LatencyRow extends ResultRow {
  readonly mailsPerSecondPerConnection: Spread;
}

/** A relay that is far away: the number of connections and round trips decides. With PIPELINING, and with CHUNKING beside it. */
export async function measureLatency(bench: Bench): Promise<Findings> {
  const { mails, connections, processes, latencyMs, bytes } = bench.options;
  const far = ['--latency', String(latencyMs)];
  const pipelining = await ownSink(far);
  const chunking = await ownSink([...far, '--chunking']);
  try {
    bench.say(`sink: ${pipelining.name}; for mutirao-chunking with --chunking`);
    bench.say(`${mails} mails a round, ${connections} connections, worker processes: ${processes}`);
    const { rounds } = await takeTurns(
      bench,
      [
        { contender: new Mutirao({ relay: pipelining, processes, connections }), share: 1 },
        {
          contender: new Mutirao({ name: 'mutirao-chunking', relay: chunking, processes, connections }),
          share: 1,
        },
        { contender: new Rival('nodemailer-pool', pipelining, connections), share: POOL_SHARE },
      ],
      { bytes: bytes[0] ?? 0, mails, warmUp: WARM_UP },
    );
    const rows = rowsOf(rounds).map((row): LatencyRow => {
      const { mailsPerSecond: median, mailsPerSecondMin: min, mailsPerSecondMax: max } = row;
      const each = { median: median / connections, min: min / connections, max: max / connections };
      return { ...row, mailsPerSecondPerConnection: rounded(each, 2) };
    });
    return {
      sink: pipelining.name,
      settings: { mails, connections, processes, latencyMs },
      rows,
      table: textTable(
        ['contender', 'mails/s', 'min–max', 'per connection', 'CPU µs/mail', '× pool', 'min–max'],
        rows.map((row) => [
          row.name,
          figure(row.mailsPerSecond),
          range(row.mailsPerSecondMin, row.mailsPerSecondMax),
          row.mailsPerSecondPerConnection.median.toFixed(1),
          figure(row.cpuMicrosPerMail),
          row.times[POOL]?.median.toFixed(2) ?? '',
          `${row.times[POOL]?.min.toFixed(2)}–${row.times[POOL]?.max.toFixed(2)}`,
        ]),
      ),
    };
  } finally {
    await pipelining.stop();
    await chunking.stop();
  }
}

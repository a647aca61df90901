import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Findings } from '../bench.ts';
import { Mutirao } from '../contenders/mutirao.ts';
import { Rival } from '../contenders/rival.ts';
import { STORES } from '../contenders/stores.ts';
import { startSink } from '../relays/sink.ts';
import { BASES, type ResultRow, rowsOf } from '../results.ts';
import { figure, range, textTable } from '../text-table.ts';
import { takeTurns } from './taking-turns.ts';

const DOMAIN = 'bench.example.org';
const SELECTOR = 'bench';
const RSA_BITS = 2_048;
const WARM_UP = 0.5;
/** Signing with RSA takes many times as long as everything else. */
const RSA_SHARE = 0.15;
const POOL_SHARE = 0.1;
/** Signatures timed by themselves. */
const BARE_SIGNATURES = 1_000;
/** What is signed: a header's worth. */
const SIGNED_BYTES = 500;

interface DkimRow extends ResultRow {
  /** Processor time beyond that of the same contender without signatures. */
  readonly addedMicrosPerMail: number | null;
  /** Processor time of the signature alone, by node:crypto. */
  readonly bareMicros: number | null;
}

/** Signed mail beside mail that is not. */
export async function measureDkim(bench: Bench): Promise<Findings> {
  const { options, say } = bench;
  const { mails, connections, processes, offline, bytes } = options;
  const sink = await startSink({ offline });
  mkdirSync(STORES, { recursive: true });
  const folder = mkdtempSync(join(STORES, 'bench-'));
  try {
    const rsa = generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey;
    const ed25519 = generateKeyPairSync('ed25519').privateKey;
    const rsaFile = write(folder, 'rsa', rsa);
    const ed25519File = write(folder, 'ed25519', ed25519);
    say(`sink: ${sink.name}; ${mails} mails a round, RSA keys of ${RSA_BITS} bits`);
    const ours = (name: string, file?: string): Mutirao => {
      const args = file === undefined ? [] : ['--dkim', `${DOMAIN}:${SELECTOR}:${file}`];
      return new Mutirao({ name, relay: sink, processes, connections, args });
    };
    const dkim = { domain: DOMAIN, selector: SELECTOR, keyFile: rsaFile };
    const { rounds } = await takeTurns(
      bench,
      [
        { contender: ours('mutirao'), share: 1 },
        { contender: ours('mutirao-ed25519', ed25519File), share: 1 },
        { contender: ours('mutirao-rsa', rsaFile), share: RSA_SHARE },
        { contender: new Rival('nodemailer-pool', sink, connections), share: POOL_SHARE },
        { contender: new Rival('nodemailer-pool', sink, connections, dkim), share: POOL_SHARE },
      ],
      { bytes: bytes[0] ?? 0, mails, warmUp: WARM_UP },
      sink.pid,
    );
    const bare = { ed25519: bareMicros(ed25519, null), rsa: bareMicros(rsa, 'sha256') };
    const rows = rowsOf(rounds).map((row, _i, all): DkimRow => {
      const unsigned = all.find(({ name }) => name === row.name.replace(/-(rsa|ed25519)$/, ''));
      const [, kind] = /-(rsa|ed25519)$/.exec(row.name) ?? [];
      const added = (row.cpuMicrosPerMail ?? Number.NaN) - (unsigned?.cpuMicrosPerMail ?? Number.NaN);
      return {
        ...row,
        addedMicrosPerMail: kind === undefined || Number.isNaN(added) ? null : Math.round(added * 10) / 10,
        bareMicros: kind === 'rsa' ? bare.rsa : kind === 'ed25519' ? bare.ed25519 : null,
      };
    });
    return {
      sink: sink.name,
      settings: { mails, connections, processes, rsaBits: RSA_BITS },
      rows,
      table: tableOf(rows),
    };
  } finally {
    await sink.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function write(folder: string, name: string, key: KeyObject): string {
  const file = join(folder, `${name}.pem`);
  writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}

function bareMicros(key: KeyObject, algorithm: string | null): number {
  const data = Buffer.alloc(SIGNED_BYTES, 'x');
  const before = process.cpuUsage();
  for (let i = 0; i < BARE_SIGNATURES; i++) sign(algorithm, data, key);
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) / BARE_SIGNATURES) * 10) / 10;
}

function tableOf(rows: readonly DkimRow[]): string[] {
  const base = BASES[0] ?? '';
  return textTable(
    [
      'contender',
      'mails/s',
      'min–max',
      'CPU µs/mail',
      'more than unsigned',
      'the signature alone',
      '× pool unsigned',
    ],
    rows.map((row) => [
      row.name,
      figure(row.mailsPerSecond),
      range(row.mailsPerSecondMin, row.mailsPerSecondMax),
      figure(row.cpuMicrosPerMail),
      row.addedMicrosPerMail === null ? '' : figure(row.addedMicrosPerMail),
      row.bareMicros === null ? '' : figure(row.bareMicros),
      row.times[base]?.median.toFixed(2) ?? '',
    ]),
  );
}

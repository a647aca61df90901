import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { BATCH, batchInfo, type Script } from '../client/scripted-server.ts';
import { Mutirao, run, scriptedServer, tempFolder } from './mutirao.ts';

/** A folder with a text and a CSV of `people`, and the flags that submit them. */
function files(people = 'email,name\nann@example.net,Ann\nrui@example.net,Rui\n') {
  const home = tempFolder();
  const csv = join(home, 'people.csv');
  const text = join(home, 'letter.txt');
  writeFileSync(csv, people);
  writeFileSync(text, 'Dear {{name}}\n');
  const flags = ['--from', 'News <news@example.org>', '--subject', 'Hi {{name}}', '--text', text];
  return { home, csv, text, flags, to: ['--to', csv] };
}

/** A batch that ends with these counts as soon as it is watched. */
function endsWith(counts: Record<string, number>, state: 'FINISHED' | 'CANCELLED' = 'FINISHED'): Script {
  return (request, peer) => {
    if (request.CLIENT !== 'WATCH') return false;
    peer.ack(request, { BATCH: batchInfo({}, { TOTAL: 2, PENDING: 2 }) });
    peer.send({ EVENT: 'PROGRESS', BATCH: batchInfo({ STATE: state }, { TOTAL: 2, ...counts }) });
    return true;
  };
}

describe('mutirao submit', () => {
  test('submits, follows, and ends with 0 when every row was sent', async () => {
    const { home, flags, to } = files();
    const server = await scriptedServer(endsWith({ SENT: 2 }));
    const result = await run(home, ['submit', '--server', server.url, ...flags, ...to]);
    expect(result).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^batch \S+ finished in .*\n {2}sent +2\n$/),
    });
    expect(result.stderr).toContain('2 recipients');
    expect(server.rows).toEqual([
      { ADDRESS: 'ann@example.net', NAME: 'Ann', VARIABLES: { email: 'ann@example.net', name: 'Ann' } },
      { ADDRESS: 'rui@example.net', NAME: 'Rui', VARIABLES: { email: 'rui@example.net', name: 'Rui' } },
    ]);
    expect(server.problems).toEqual([]);
  });

  test('with --json prints one line for programs and nothing else on standard output', async () => {
    const { home, flags, to } = files();
    const server = await scriptedServer(endsWith({ SENT: 1, FAILED: 1 }));
    const result = await run(home, ['submit', '--server', server.url, ...flags, ...to, '--json']);
    expect(result.code).toBe(2);
    expect(result.stdout.split('\n')).toHaveLength(2);
    expect(Object.keys(result.json).slice(0, 9)).toEqual([
      'batch',
      'total',
      'sent',
      'failed',
      'unknown',
      'suppressed',
      'cancelled',
      'rejected',
      'seconds',
    ]);
    expect(result.json).toMatchObject({
      batch: BATCH,
      total: 2,
      sent: 1,
      failed: 1,
      rejected: 0,
      seconds: expect.any(Number),
    });
  });

  test.each([
    ['failed', { SENT: 1, FAILED: 1 }, 2],
    ['unknown', { SENT: 1, UNKNOWN: 1 }, 2],
    ['suppressed', { SENT: 1, SUPPRESSED: 1 }, 0],
  ])('with one recipient %s ends with its exit code', async (_, counts, code) => {
    const { home, flags, to } = files();
    const server = await scriptedServer(endsWith(counts));
    expect((await run(home, ['submit', '--server', server.url, ...flags, ...to, '--quiet'])).code).toBe(code);
  });

  test('puts all its flags on the wire', async () => {
    const { home, text, flags, to } = files();
    const server = await scriptedServer();
    const html = join(home, 'letter.html');
    writeFileSync(html, '<p>é</p>');
    const result = await run(home, [
      'submit',
      '--server',
      server.url,
      ...flags,
      ...to,
      '--no-wait',
      '--html',
      html,
      '--reply-to',
      'r@example.org',
      '--header',
      'X-A: 1: 2',
      '--header',
      'X-B:x',
      '--unsubscribe',
      'https://example.org/u',
      '--one-click',
      '--attach',
      text,
      '--attach',
      html,
      '--key',
      'k1',
      '--name',
      'Jan',
      '--strict',
      '--relay',
      'mx1',
      '--relay',
      'mx2',
      '--on-unknown',
      'hold',
      '--retry-for',
      '60',
      '--expires',
      '2099-12-24T18:00:00+01:00',
      '--token',
      'secret',
    ]);
    expect(result).toMatchObject({ code: 0, stdout: `batch ${BATCH}: 2 recipients\n` });
    expect(server.requests.find((request) => request.CLIENT === 'SUBMIT')).toMatchObject({
      KEY: 'k1',
      NAME: 'Jan',
      MESSAGE: {
        FROM: 'News <news@example.org>',
        REPLY_TO: 'r@example.org',
        SUBJECT: 'Hi {{name}}',
        TEXT: 'Dear {{name}}\n',
        HTML: '<p>é</p>',
        HEADERS: { 'X-A': '1: 2', 'X-B': 'x' },
        LIST_UNSUBSCRIBE: 'https://example.org/u',
        ONE_CLICK: true,
      },
      OPTIONS: {
        STRICT: true,
        RELAYS: ['mx1', 'mx2'],
        ON_UNKNOWN: 'HOLD',
        RETRY_FOR_S: 60,
        EXPIRES: '2099-12-24T17:00:00.000Z',
      },
    });
    const attached = server.requests
      .filter((request) => request.CLIENT === 'ATTACHMENT')
      .map((request) => request.FILENAME);
    expect(attached).toEqual(['letter.txt', 'letter.html']);
    expect(server.verbs).not.toContain('WATCH');
    expect(server.requests[0]).toMatchObject({ TOKEN: 'secret' });
  });

  test('reads the text or the recipients from standard input', async () => {
    const { home, flags, to } = files();
    const server = await scriptedServer();
    const text = [
      'submit',
      '--server',
      server.url,
      '--from',
      'a@example.org',
      '--subject',
      's',
      '--text',
      '-',
      ...to,
      '--no-wait',
    ];
    expect((await run(home, text, { input: 'Olá' })).code).toBe(0);
    expect(server.requests.find((request) => request.CLIENT === 'SUBMIT')).toMatchObject({
      MESSAGE: { TEXT: 'Olá' },
    });
    const list = ['submit', '--server', server.url, ...flags, '--to', '-', '--format', 'csv', '--no-wait'];
    expect((await run(home, list, { input: 'email\nstdin@example.net\n' })).code).toBe(0);
    expect(server.rows.at(-1)).toMatchObject({ ADDRESS: 'stdin@example.net' });
  });

  test('reads a list in another encoding', async () => {
    const { home, csv, flags, to } = files();
    writeFileSync(csv, Buffer.from('email;name\r\nj@example.net;"Jos\u00e9; Lu\u00eds"\r\n', 'latin1'));
    const server = await scriptedServer();
    const result = await run(home, [
      'submit',
      '--server',
      server.url,
      ...flags,
      ...to,
      '--encoding',
      'windows-1252',
      '--no-wait',
    ]);
    expect(result.code).toBe(0);
    expect(server.rows[0]).toMatchObject({ NAME: 'José; Luís' });
  });

  test('lists the first rejected rows with file and line, and writes all into a file', async () => {
    const rows = Array.from(
      { length: 30 },
      (_, i) => (i === 3 ? '=cmd()' : i === 5 ? 'short' : `wrong${i}`) + (i === 5 ? '' : ',x'),
    );
    const { home, csv, flags, to } = files(`email,name\nann@example.net,Ann\n${rows.join('\n')}\n`);
    const server = await scriptedServer(endsWith({ TOTAL: 1, SENT: 1 }));
    const rejected = join(home, 'rejected.csv');
    const result = await run(home, [
      'submit',
      '--server',
      server.url,
      ...flags,
      ...to,
      '--rejected',
      rejected,
      '--json',
    ]);
    expect(result.code).toBe(2);
    expect(result.json).toMatchObject({ sent: 1, rejected: 30 });
    expect(result.stderr).toContain(`${csv}:8: short: it has 1 cell, the header row has 2\n`);
    expect(result.stderr).toContain(`${csv}:3: wrong0: the address has no @\n`);
    expect(result.stderr.match(/: the address has no @/g)).toHaveLength(19);
    expect(result.stderr).toContain(`… and 10 more rejected rows; all are in ${rejected}`);
    const written = readFileSync(rejected, 'utf8').trim().split('\r\n');
    expect(written).toHaveLength(31);
    expect(written).toContain(`${csv}:6,'=cmd(),the address has no @`);
  });

  test('on Ctrl-C while waiting says that the batch goes on and how to watch it', async () => {
    const { home, flags, to } = files();
    const server = await scriptedServer((request, peer) => {
      if (request.CLIENT !== 'WATCH') return false;
      peer.ack(request, { BATCH: batchInfo({}, { TOTAL: 2, PENDING: 2 }) });
      return true;
    });
    const mutirao = new Mutirao(home, ['submit', '--server', server.url, ...flags, ...to]);
    await expect.poll(() => mutirao.stderr, { timeout: 10_000 }).toContain('0 of 2 sent');
    mutirao.process.kill('SIGINT');
    const result = await mutirao.ended;
    expect(result.code).toBe(130);
    expect(result.stderr).toContain(
      `the batch goes on without this command; watch it with: mutirao watch ${BATCH} --server ${server.url}`,
    );
  });

  test('on Ctrl-C during the upload drops it', async () => {
    const { home, flags, to } = files();
    const server = await scriptedServer((request) => request.CLIENT === 'RECIPIENTS');
    const mutirao = new Mutirao(home, ['submit', '--server', server.url, ...flags, ...to]);
    await expect.poll(() => server.verbs, { timeout: 10_000 }).toContain('RECIPIENTS');
    mutirao.process.kill('SIGINT');
    const result = await mutirao.ended;
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('interrupted during the upload');
    await expect.poll(() => server.peers.size).toBe(0);
  });

  test('follows a batch over the restart of the server', async () => {
    const { home, flags, to } = files();
    let watches = 0;
    const server = await scriptedServer((request, peer) => {
      if (request.CLIENT !== 'WATCH') return false;
      const done = ++watches > 1;
      peer.ack(request, {
        BATCH: batchInfo({ STATE: done ? 'FINISHED' : 'RUNNING' }, { TOTAL: 2, SENT: done ? 2 : 0 }),
      });
      if (!done) setTimeout(() => peer.socket.terminate(), 20);
      return true;
    });
    const result = await run(home, ['submit', '--server', server.url, ...flags, ...to]);
    expect(result.code).toBe(0);
    expect(result.stderr).toContain('connection to the server lost');
  });

  test('repeats an upload whose connection breaks under COMMIT, under a key of its own', async () => {
    const { home, flags, to } = files();
    let commits = 0;
    const server = await scriptedServer((request, peer) => {
      if (request.CLIENT !== 'COMMIT' || ++commits > 1) return false;
      peer.socket.terminate();
      return true;
    });
    const result = await run(home, [
      'submit',
      '--server',
      server.url,
      ...flags,
      ...to,
      '--no-wait',
      '--json',
    ]);
    expect(result).toMatchObject({ code: 0, json: { batch: BATCH, total: 2 } });
    const keys = server.requests
      .filter((request) => request.CLIENT === 'SUBMIT')
      .map((request) => request.KEY);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });

  test('takes 200,000 rows in bounded memory', { timeout: 60_000 }, async () => {
    const { home, csv, flags, to } = files();
    const padding = 'x'.repeat(500);
    await pipeline(function* () {
      yield 'email,name,note\n';
      for (let i = 0; i < 200_000; i += 1_000) {
        yield Array.from({ length: 1_000 }, (_, j) => `p${i + j}@example.net,P${i + j},${padding}\n`).join(
          '',
        );
      }
    }, createWriteStream(csv));
    const server = await scriptedServer();
    server.keepRows = false;
    // What is held on to would not fit into this heap: 200,000 rows are more than 104 MB.
    const heap = '--max-old-space-size=64 --max-semi-space-size=8';
    const report =
      'process.on("exit", () => process.stderr.write("maxRSS=" + process.resourceUsage().maxRSS + "\\n"))';
    const result = await run(
      home,
      ['submit', '--server', server.url, ...flags, ...to, '--no-wait', '--json'],
      {
        env: { NODE_OPTIONS: `${heap} --import=data:text/javascript,${encodeURIComponent(report)}` },
      },
    );
    expect(result).toMatchObject({ code: 0, json: { total: 200_000 } });
    expect(server.rowCount).toBe(200_000);
    const maxRssMb = Number(/maxRSS=(\d+)/.exec(result.stderr)?.[1]) / 1024;
    // A process that does nothing has some 60 MB; this one has 155, and 158 with three times the rows.
    expect(maxRssMb).toBeGreaterThan(20);
    expect(maxRssMb).toBeLessThan(230);
  });
});

describe('what is wrong', () => {
  test.each([
    [
      'a text that is not there',
      ['--text', 'Hello', '--to', 'a@example.net'],
      /--text Hello: there is no such file\n.*standard input/,
    ],
    [
      'a list that is not there',
      ['--text', 'TEXT', '--to', 'nobody.csv'],
      /--to nobody.csv: there is no such file/,
    ],
    [
      'a wrong delimiter',
      ['--text', 'TEXT', '--to', 'a@b.org', '--delimiter', 'xx'],
      /must be one character/,
    ],
    [
      'standard input twice',
      ['--text', '-', '--to', '-', '--format', 'csv'],
      /either the recipients or the text/,
    ],
  ])('with %s is one clear line', async (_, args, message) => {
    const { home, text } = files();
    const given = args.map((arg) => (arg === 'TEXT' ? text : arg));
    const result = await run(home, ['submit', '--from', 'a@b.org', '--subject', 's', ...given]);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.stdout).toBe('');
  });

  test('with no server there, tells how to start one; with --json for programs too', async () => {
    const { home, flags, to } = files();
    const server = await scriptedServer();
    await server.stop();
    const port = new URL(server.url).port;
    const result = await run(home, ['submit', '--server', server.url, ...flags, ...to, '--json']);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`mutirao: no server at ${server.url}\n`);
    expect(result.stderr).toContain(`"mutirao server --port ${port}"`);
    expect(result.json).toMatchObject({ error: { code: 'CANNOT_CONNECT' } });
  });

  test('a refusal of the server is its message and nothing more', async () => {
    const { home, flags, to } = files();
    const refusing = await scriptedServer((request, peer) => {
      if (request.CLIENT !== 'SUBMIT') return false;
      peer.nack(request, 'TEMPLATE_INVALID', 'subject: a tag is not closed');
      return true;
    });
    const refused = await run(home, ['submit', '--server', refusing.url, ...flags, ...to]);
    expect(refused).toMatchObject({ code: 1, stderr: 'mutirao: subject: a tag is not closed\n' });
    const guarded = await scriptedServer((_request, peer) => {
      peer.send({ STATUS: 'NACK', ERROR: { CODE: 'UNAUTHORIZED', MESSAGE: 'the token is wrong' } });
      peer.socket.close(4401);
      return true;
    });
    const unauthorized = await run(home, ['submit', '--server', guarded.url, ...flags, ...to]);
    expect(unauthorized.code).toBe(1);
    expect(unauthorized.stderr).toBe('mutirao: the token is wrong\n');
  });
});

import { expect, test } from 'vitest';
import { count, duration, oneLine, perSecond } from '../../cli/format.ts';
import { serverOverview } from '../../cli/server-overview.ts';
import { table } from '../../cli/table.ts';

test.each([
  [0.44, '0.4 s'],
  [9.5, '9.5 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [200, '3 min 20 s'],
  [3_600, '1 h'],
  [18_180, '5 h 3 min'],
  [187_200, '2 d 4 h'],
])('%d seconds are written %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('numbers have their thousands apart, small rates a digit', () => {
  expect(count(1_234_567)).toBe('1,234,567');
  expect(perSecond(1_234.5)).toBe('1,235/s');
  expect(perSecond(0.44)).toBe('0.4/s');
});

test('what comes from elsewhere is one line that a terminal does not obey', () => {
  expect(oneLine('550 no\r\n such\u001b]0;x\u0007 user\u2028')).toBe('550 no such ]0;x user');
  expect(oneLine('abcdef', 4)).toBe('abc…');
});

test('a table is as wide as what is in it', () => {
  const columns = [{ title: 'NAME' }, { title: 'N', align: 'right' }, { title: 'LAST' }] as const;
  expect(
    table(columns, [
      ['a', '1,000', 'x'],
      ['longer', '2', ''],
    ]),
  ).toBe(['NAME        N  LAST', 'a       1,000  x', 'longer      2'].join('\n'));
});

test('a server of another version is shown as far as it is understood', () => {
  expect(serverOverview('ws://h:1', {})).toContain('server ws://h:1');
  expect(
    serverOverview('ws://h:1', { state: 7, relays: 'none', mesh: [], workers: [{ idle: 'x' }] }),
  ).toContain('0 connected');
  const text = serverOverview('ws://h:1', {
    state: 'running',
    uptimeS: 70,
    ready: 5,
    workers: [{ idle: true }, { idle: false }],
    workersTotal: 2,
    setAside: [
      { batch: 'b-1', recipients: 1_000 },
      { batch: 'b-2', recipients: 1 },
    ],
    relays: [
      { name: 'mx', host: 'relay', port: 25, breaker: 'open', sent: 1_000, faults: 5, lastFault: '421 busy' },
    ],
    mesh: { peers: [{ address: 'ws://b:1', state: 'alive' }], lent: [{}], borrowed: [] },
    owner: { adopted: 2, fenced: 0, servers: [{ live: true }, { live: false }, { live: true }] },
  });
  expect(text).toMatch(/store +shared by 2 live servers, 2 batches adopted from others$/m);
  expect(text).toContain('running, up 1 min 10 s');
  expect(text).toContain('2 connected, 1 idle, 1 lent');
  expect(text).toMatch(/set aside +1,000 recipients of batch b-1, 1 recipient of batch b-2: workers died/);
  expect(text).toMatch(/mx +relay:25 +open +1,000 +5 +421 busy/);
  expect(text).toMatch(/ws:\/\/b:1 +alive/);
});

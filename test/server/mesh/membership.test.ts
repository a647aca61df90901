import { describe, expect, test } from 'vitest';
import { chooseLink, FORGET_AFTER_MS, type LinkClaim, Membership } from '../../../server/mesh/membership.ts';
import { wasFirst } from '../../../server/mesh/run.ts';

const TICK = 200;

function membership(maxPeers = 10): Membership {
  return new Membership({ suspectAfterMs: 5_000, deadAfterMs: 11_000, maxPeers });
}

/** Ticks on time from one moment to another. */
function tickThrough(members: Membership, from: number, to: number): string[] {
  const changes: string[] = [];
  for (let now = from; now <= to; now += TICK) {
    for (const { peer, from: before } of members.tick(now, TICK).changes)
      changes.push(`${peer.uuid}: ${before} → ${peer.state}`);
  }
  return changes;
}

test('silence makes a peer suspect, then dead; a word makes it alive', () => {
  const members = membership();
  expect(members.heard('p', {}, 0)).toMatchObject({ from: undefined, peer: { state: 'alive' } });
  expect(tickThrough(members, 0, 12_000)).toEqual(['p: alive → suspect', 'p: suspect → dead']);
  expect(members.heard('p', {}, 12_100)).toMatchObject({ from: 'dead', peer: { state: 'alive' } });
});

test('a lost link makes a peer suspect at once, not dead', () => {
  const members = membership();
  members.heard('p', {}, 0);
  expect(members.lostLink('p')).toMatchObject({ peer: { state: 'suspect' } });
  expect(members.lostLink('p')).toBeUndefined();
});

test('nobody is declared dead because this server was not listening', () => {
  const members = membership();
  members.heard('p', {}, 0);
  tickThrough(members, 0, 1_000);
  const late = members.tick(61_000, TICK);
  expect(late.lateMs).toBeGreaterThan(59_000);
  expect(late.changes).toEqual([]);
  expect(tickThrough(members, 61_200, 61_400)).toEqual([]);
  // Silence after that counts again.
  expect(tickThrough(members, 61_600, 73_000)).toEqual(['p: alive → suspect', 'p: suspect → dead']);
});

test('what a message does not say stays as it was', () => {
  const members = membership();
  members.heard('p', { address: { IP: '127.0.0.1', PORT: 1 }, latencyMs: 3 }, 0);
  members.heard('p', {}, 1);
  expect(members.get('p')).toMatchObject({ address: { PORT: 1 }, latencyMs: 3 });
});

test('peers are bounded: the dead make way, the living do not', () => {
  const members = membership(2);
  members.heard('p1', {}, 0);
  members.heard('p2', {}, 6_000);
  expect(members.hasRoomFor('p1')).toBe(true);
  expect(members.hasRoomFor('p3')).toBe(false);
  members.tick(6_000, TICK);
  tickThrough(members, 6_200, 12_000);
  expect(members.hasRoomFor('p3')).toBe(true);
  members.heard('p3', {}, 12_000);
  expect(members.all().map((peer) => peer.uuid)).toEqual(['p2', 'p3']);
});

test('a peer that stays away is forgotten', () => {
  const members = membership();
  members.heard('p', {}, 0);
  tickThrough(members, 0, FORGET_AFTER_MS + TICK);
  expect(members.all()).toEqual([]);
});

describe('two links between the same servers', () => {
  const link = (direction: LinkClaim['direction'], more: Partial<LinkClaim> = {}): LinkClaim => {
    return { direction, silentMs: 100, address: 'ws://h:1', ...more };
  };

  test('both ends keep the one that the lower dialled, whichever came first', () => {
    // What one end dialled the other accepted.
    for (const lowDialledFirst of [true, false]) {
      const [lowOld, lowNew] = lowDialledFirst
        ? (['dialled', 'accepted'] as const)
        : (['accepted', 'dialled'] as const);
      const [highOld, highNew] = lowDialledFirst
        ? (['accepted', 'dialled'] as const)
        : (['dialled', 'accepted'] as const);
      const low = chooseLink('a', 'b', link(lowOld), link(lowNew), 2_000);
      const high = chooseLink('b', 'a', link(highOld), link(highNew), 2_000);
      expect(low).toBe(lowDialledFirst ? 'keep the old' : 'take the new');
      expect(high).toBe(low);
    }
  });

  test('of two in the same direction the newer is the living one', () => {
    expect(chooseLink('a', 'b', link('accepted'), link('accepted'), 2_000)).toBe('take the new');
  });

  test('a second server with the same SERVER_UUID elsewhere does not push the first out', () => {
    const other = link('accepted', { address: 'ws://other:1' });
    expect(chooseLink('a', 'b', link('accepted'), other, 2_000)).toBe('the new is a copy');
    expect(chooseLink('a', 'b', link('accepted', { silentMs: 3_000 }), other, 2_000)).toBe('take the new');
  });

  test('of two runs under one SERVER_UUID the first stays, whichever link came first and whoever dialled', () => {
    const first = { instance: 'x', since: -50_000 };
    const second = { instance: 'w', since: 10_000 };
    for (const direction of ['dialled', 'accepted'] as const) {
      const at = (run: typeof first, more: Partial<LinkClaim> = {}) =>
        link(direction, { run, address: `ws://${run.instance}:1`, ...more });
      expect(chooseLink('a', 'b', at(first), at(second), 2_000)).toBe('the new is a copy');
      expect(chooseLink('a', 'b', link('accepted', at(second)), at(first), 2_000)).toBe('the old is a copy');
      // one that was started again, elsewhere or where it was
      expect(chooseLink('a', 'b', at(first, { silentMs: 4_000 }), at(second), 2_000)).toBe('take the new');
      const here = { address: 'ws://x:1' };
      expect(chooseLink('a', 'b', at(first), at(second, here), 2_000)).toBe('take the new');
    }
    const same = { instance: 'w', since: -49_500 };
    expect(wasFirst(same, first)).toBe(true);
    expect(wasFirst(first, same)).toBe(false);
  });

  test('two links of one run are two links of one server, whatever address they show', () => {
    const run = { instance: 'x', since: 0 };
    const old = link('accepted', { run });
    const fresh = link('accepted', { run, address: 'ws://other:1' });
    expect(chooseLink('a', 'b', old, fresh, 2_000)).toBe('take the new');
  });
});

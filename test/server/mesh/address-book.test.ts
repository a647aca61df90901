import { expect, test } from 'vitest';
import { AddressBook, MAX_REDIAL_MS, WAIT_FOR_CALL_MS } from '../../../server/mesh/address-book.ts';
import { FORGET_AFTER_MS } from '../../../server/mesh/membership.ts';

const at = (port: number) => ({ IP: '127.0.0.1', PORT: port });
const nobody = () => false;

function book(maxAddresses = 10): AddressBook {
  return new AddressBook({ self: 'm', address: at(1), maxAddresses, random: () => 0.5 });
}

test('a configured address is dialled, once at a time', () => {
  const addresses = book();
  addresses.configure([at(2), at(2)], 0);
  expect(addresses.due(0, nobody)).toEqual([at(2)]);
  expect(addresses.due(0, nobody)).toEqual([]);
});

test('the own address is never dialled, given or heard of or found out', () => {
  const addresses = book();
  addresses.configure([at(1), at(3)], 0);
  addresses.learn(at(4), 'm', 0);
  expect(addresses.due(0, nobody)).toEqual([at(3)]);
  addresses.isSelf(at(3));
  addresses.learn(at(3), 'x', 0);
  expect(addresses.due(99_999, nobody)).toEqual([]);
});

test('failures are told once, and attempts become rarer, but never rarer than the cap', () => {
  const addresses = book();
  addresses.configure([at(2)], 0);
  let now = 0;
  const told: boolean[] = [];
  for (let i = 0; i < 12; i += 1) {
    expect(addresses.due(now, nobody)).toHaveLength(1);
    told.push(addresses.failed(at(2), now));
    expect(addresses.due(now + 1, nobody)).toEqual([]);
    now += MAX_REDIAL_MS;
  }
  expect(told).toEqual([true, ...told.slice(1).map(() => false)]);
  expect(addresses.identified(at(2), 'p', now)).toBe(true);
});

test('a server that is linked already, or being dialled by another address, is not dialled', () => {
  const addresses = book();
  addresses.learn(at(2), 'p', 0);
  addresses.learn(at(3), 'p', 0);
  expect(addresses.due(5_000, (uuid) => uuid === 'p')).toEqual([]);
  expect(addresses.due(5_000, nobody)).toEqual([at(2)]);
  expect(addresses.due(5_000, nobody)).toEqual([]);
});

test('of two that hear of each other the higher waits for the call of the lower', () => {
  const addresses = book();
  addresses.learn(at(2), 'z', 0);
  addresses.learn(at(3), 'a', 0);
  expect(addresses.due(0, nobody)).toEqual([at(2)]);
  expect(addresses.due(WAIT_FOR_CALL_MS, nobody)).toEqual([at(3)]);
});

test('addresses heard of are bounded, and forgotten when nobody is there for long', () => {
  const addresses = book(3);
  addresses.configure([at(2)], 0);
  addresses.learn(at(3), 'p', 0);
  addresses.learn(at(4), 'q', 0);
  expect(addresses.due(WAIT_FOR_CALL_MS, nobody)).toEqual([at(2), at(3)]);
  addresses.failed(at(2), 0);
  addresses.failed(at(3), 0);
  expect(addresses.due(FORGET_AFTER_MS, nobody)).toEqual([at(2)]);
});

import { describe, expect, it } from 'vitest';
import { RelayLine } from '../../../scripts/chaos/network/relay-line.ts';

function lineWith(cutsAfterDot = 0) {
  const seen = { cuts: 0, ended: 0 };
  const weather = { cutsAfterDot };
  const line = new RelayLine({ cut: () => seen.cuts++ }, weather, () => seen.ended++);
  const say = (text: string): boolean => line.fromCaller(Buffer.from(text));
  const hear = (text: string): boolean => line.fromCalled(Buffer.from(text));
  return { line, say, hear, seen, weather };
}

const ENVELOPE = 'MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n';

describe('a line to a relay', () => {
  it('knows who calls', () => {
    const { line, say } = lineWith();
    say('EHLO worker-3\r\n');
    expect(line.name).toBe('worker-3');
  });

  it('counts the mails whose end has passed and whose reply has not, in pieces of any size', () => {
    const conversation = `${ENVELOPE}Subject: x\r\n\r\nHello\r\n.\r\n${ENVELOPE}Hello\r\n.\r\n`;
    for (let size = 1; size < 20; size++) {
      const { line, say, hear } = lineWith();
      for (let at = 0; at < conversation.length; at += size) say(conversation.slice(at, at + size));
      expect(line.inFlight, `pieces of ${size}`).toBe(2);
      for (const byte of '250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 Message received\r\n') hear(byte);
      expect(line.inFlight).toBe(1);
      hear('250 ok\r\n250 ok\r\n354 go\r\n451 4.3.0 Later\r\n');
      expect(line.inFlight).toBe(0);
    }
  });

  it('counts those that come in chunks', () => {
    const { line, say, hear } = lineWith();
    say('MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 5 LAST\r\nHello');
    hear('250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n');
    expect(line.inFlight).toBe(1);
    hear('250 2.0.0 Message received\r\n');
    expect(line.inFlight).toBe(0);
  });

  it('swallows the reply to a dot and cuts, as often as it is told', () => {
    const { say, hear, seen, weather } = lineWith(1);
    hear('220 hello\r\n');
    say(`${ENVELOPE}Hello\r\n.\r\n`);
    expect(weather.cutsAfterDot).toBe(0);
    expect(hear('250 2.0.0 Message received\r\n')).toBe(false);
    expect(seen.cuts).toBe(1);
  });
});

import { isIP } from 'node:net';
import { describe, expect, it } from 'vitest';
import { advertised, endpointOf, meshSettings } from '../../server/mesh-settings.ts';
import { testSettings } from '../support/server.ts';

const at = (changes: Record<string, unknown> = {}, port = 8765) => advertised(testSettings(changes), port);
const TLS = { tlsCert: 'cert.pem', tlsKey: 'key.pem' };

describe('the address of a server in a URL', () => {
  it('has the port of its scheme where it names none', () => {
    expect(endpointOf('ws://a')).toEqual({ IP: 'a', PORT: 80 });
    expect(endpointOf('wss://a')).toEqual({ IP: 'a', PORT: 443, TLS: true });
    expect(endpointOf('ws://a:80')).toEqual({ IP: 'a', PORT: 80 });
    expect(endpointOf('wss://a:443')).toEqual({ IP: 'a', PORT: 443, TLS: true });
  });

  it('may be of IPv6', () => {
    expect(endpointOf('ws://[fe80::1]:9000')).toEqual({ IP: 'fe80::1', PORT: 9000 });
  });
});

describe('where others reach a server', () => {
  it('is where it listens', () => {
    expect(at()).toEqual({ IP: '127.0.0.1', PORT: 8765 });
    expect(at({ host: '::1' })).toEqual({ IP: '::1', PORT: 8765 });
    expect(at(TLS)).toEqual({ IP: '127.0.0.1', PORT: 8765, TLS: true });
  });

  it('is an address of this machine where it listens on all and was told none', () => {
    for (const host of ['0.0.0.0', '::']) {
      const { IP } = at({ host });
      expect(isIP(IP)).not.toBe(0);
      expect(IP).not.toBe(host);
    }
  });

  it('is what it was told to advertise, with its own port or another one', () => {
    expect(at({ advertise: 'mail.example' })).toEqual({ IP: 'mail.example', PORT: 8765 });
    expect(at({ advertise: 'mail.example:80' })).toEqual({ IP: 'mail.example', PORT: 80 });
    expect(at({ advertise: 'mail.example:443', ...TLS })).toEqual({
      IP: 'mail.example',
      PORT: 443,
      TLS: true,
    });
    expect(at({ advertise: '10.0.0.2:1' })).toEqual({ IP: '10.0.0.2', PORT: 1 });
    expect(at({ advertise: '2001:db8::1' })).toEqual({ IP: '2001:db8::1', PORT: 8765 });
    expect(at({ advertise: '[2001:db8::1]' })).toEqual({ IP: '2001:db8::1', PORT: 8765 });
    expect(at({ advertise: '[2001:db8::1]:99' })).toEqual({ IP: '2001:db8::1', PORT: 99 });
  });
});

describe('the settings of the mesh', () => {
  it('follow from those of the server', () => {
    const settings = meshSettings(
      testSettings({ heartbeat: '2s', suspectAfter: 2, deadAfter: 4, borrowAbove: '5s', keepHome: 3 }),
    );
    expect(settings).toMatchObject({
      suspectAfterMs: 5_000,
      deadAfterMs: 9_000,
      borrowAboveS: 5,
      keepHome: 3,
    });
  });
});

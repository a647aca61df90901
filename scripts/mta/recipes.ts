export type MtaName = 'postfix' | 'exim' | 'opensmtpd';

/** An account that a server looks up by name when it starts; user and group have the same number. */
export interface Account {
  readonly name: string;
  readonly id: number;
}

/** What makes a root folder in which a server runs. */
export interface Recipe {
  /** Debian packages, unpacked with the libraries that they depend on; nothing else of their dependencies is needed. */
  readonly packages: readonly string[];
  readonly accounts: readonly Account[];
  /** A command inside the root that states the version, so that it is seen to find its libraries. Its exit code does not matter. */
  readonly probe: readonly [string, ...string[]];
  readonly version: RegExp;
}

/** Who owns delivered mail in every root. */
export const MAIL: Account = { name: 'vmail', id: 5_000 };

export const RECIPES: Readonly<Record<MtaName, Recipe>> = {
  postfix: {
    // the last two: passwords for AUTH
    packages: ['postfix', 'libsasl2-modules', 'sasl2-bin'],
    accounts: [
      { name: 'postfix', id: 5_001 },
      { name: 'postdrop', id: 5_002 },
    ],
    probe: ['/usr/sbin/postconf', '-d', 'mail_version'],
    version: /^mail_version = \S+/,
  },
  exim: {
    packages: ['exim4-daemon-light'],
    accounts: [{ name: 'Debian-exim', id: 5_001 }],
    probe: ['/usr/sbin/exim4', '-C', '/dev/null', '-bV'],
    version: /^Exim version \S+/,
  },
  opensmtpd: {
    // dash: it runs its maildir program through /bin/sh
    packages: ['opensmtpd', 'dash'],
    accounts: [
      { name: 'opensmtpd', id: 5_001 },
      { name: 'opensmtpq', id: 5_002 },
    ],
    probe: ['/usr/sbin/smtpd', '-h'],
    version: /^version: OpenSMTPD \S+/,
  },
};

export const MTA_NAMES = Object.keys(RECIPES) as MtaName[];

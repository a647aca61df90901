import { MAIL } from '../../../scripts/mta/recipes.ts';
import type { Cage } from './cage.ts';
import { DOMAIN, HOST, type Kind, MAX_MESSAGE_BYTES, type Wishes } from './mta.ts';

const configuration = (port: number, { messages }: Wishes): string => `
table anyone { "@" = ${MAIL.name} }
filter no phase rcpt-to match rcpt-to regex { "^no" } reject "550 5.1.1 no such person"
filter later phase rcpt-to match rcpt-to regex { "^later" } reject "450 4.2.1 come back later"
filter rules chain { no, later }
smtp max-message-size "${MAX_MESSAGE_BYTES}"
${messages === undefined ? '' : `smtp limit max-mails ${messages}`}
listen on 127.0.0.1 port ${port} hostname ${HOST} filter rules
action deliver maildir "/var/mail/all" virtual <anyone>
match from any for domain ${DOMAIN} action deliver
`;

/**
 * OpenSMTPD: all its processes below one in the foreground, which logs to its standard error. Without TLS, and so without AUTH, which
 * it offers in TLS only: that of Debian 12 (6.8.0p2 with OpenSSL 3) breaks every handshake off, whatever kind of key it has
 * (`missing private key`, its issue 1171).
 */
export const OPENSMTPD_KIND: Kind = {
  name: 'opensmtpd',
  extensions: ['SIZE', '8BITMIME'],
  limits: ['messages'],
  configure(cage: Cage, port: number, wishes: Wishes): void {
    cage.write('/etc/smtpd.conf', configuration(port, wishes), 0o600);
    cage.folder('/var/lib/opensmtpd/empty', 0);
    cage.folder('/var/spool/smtpd', 0, 0, 0o711);
    cage.folder('/var/mail', MAIL.id);
  },
  start(cage: Cage): void {
    cage.start('/usr/sbin/smtpd', '-d');
  },
  log: undefined,
  connected: /smtp connected/,
  chunked: /it knows no BDAT/,
  mail: '/var/mail',
  queue: '/var/spool/smtpd/queue',
  isQueued: () => true,
};

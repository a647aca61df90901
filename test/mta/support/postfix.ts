import { statSync } from 'node:fs';
import { MAIL, RECIPES } from '../../../scripts/mta/recipes.ts';
import { selfSigned } from '../../../sink/self-signed.ts';
import type { Cage } from './cage.ts';
import { DOMAIN, HOST, type Kind, MAX_MESSAGE_BYTES, PASS, USER, type Wishes } from './mta.ts';

const QUEUE = '/var/spool/postfix';
const FOLDERS = [
  'incoming',
  'active',
  'deferred',
  'bounce',
  'corrupt',
  'defer',
  'flush',
  'hold',
  'private',
  'saved',
  'trace',
];
const [POSTFIX, POSTDROP] = RECIPES.postfix.accounts.map(({ id }) => id) as [number, number];

/** Service, type, private, unprivileged, chroot, wakeup, processes, command. */
const services = (port: number): string => `
127.0.0.1:${port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`;

/** What a client may not do out of turn is forbidden, as careful sites do: what PIPELINING allows must pass all the same. */
const parameters = ({ connections, without = [] }: Wishes): string => `
compatibility_level = 3.6
myhostname = ${HOST}
mydestination =
alias_maps =
queue_directory = ${QUEUE}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/mail.log
inet_protocols = ipv4
mynetworks =
smtpd_peername_lookup = no
local_header_rewrite_clients =
message_size_limit = ${MAX_MESSAGE_BYTES}
virtual_mailbox_limit = 0
virtual_mailbox_domains = ${DOMAIN}
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:${MAIL.id}
virtual_gid_maps = static:${MAIL.id}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:/etc/postfix/recipients
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_forbid_unauth_pipelining = yes
smtpd_forbid_bare_newline = normalize
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = ${connections ?? 0}
smtpd_discard_ehlo_keywords = ${without.join(',').toLowerCase()}
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/postfix/chain.pem
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_authenticated_header = yes
smtpd_sasl_local_domain = ${HOST}
cyrus_sasl_config_path = /etc/postfix/sasl
`;

/** It sets the executable bit when it has the whole message; one without is what a killed one has left. */
function isComplete(file: string): boolean {
  return ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o100) !== 0;
}

/** Postfix: its master in the foreground, with the services that take mail and deliver it. */
export const POSTFIX_KIND: Kind = {
  name: 'postfix',
  extensions: ['PIPELINING', 'CHUNKING', 'SIZE', '8BITMIME', 'SMTPUTF8', 'STARTTLS'],
  limits: ['connections'],
  configure(cage: Cage, port: number, wishes: Wishes): void {
    const { key, cert } = selfSigned(HOST);
    cage.write('/etc/postfix/chain.pem', key + cert, 0o600);
    cage.write('/etc/postfix/main.cf', parameters(wishes));
    cage.write('/etc/postfix/master.cf', services(port));
    cage.write(
      '/etc/postfix/recipients',
      '/^no/ 550 5.1.1 no such person\n/^later/ 450 4.2.1 come back later\n',
    );
    cage.write(
      '/etc/postfix/sasl/smtpd.conf',
      'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\n',
    );
    cage.run(PASS, '/usr/sbin/saslpasswd2', '-p', '-c', '-u', HOST, USER);
    cage.own('/etc/sasldb2', POSTFIX);
    cage.folder('/var/lib/postfix', POSTFIX);
    cage.folder('/var/mail', MAIL.id);
    cage.folder('/var/log', 0);
    cage.folder(`${QUEUE}/pid`, 0);
    for (const folder of FOLDERS) cage.folder(`${QUEUE}/${folder}`, POSTFIX, 0, 0o700);
    cage.folder(`${QUEUE}/public`, POSTFIX, POSTDROP, 0o710);
    cage.folder(`${QUEUE}/maildrop`, POSTFIX, POSTDROP, 0o730);
  },
  start(cage: Cage): void {
    cage.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d');
  },
  log: '/var/log/mail.log',
  connected: /smtpd\[\d+\]: connect from/,
  chunked: /disconnect from .* bdat=/,
  mail: '/var/mail',
  queue: QUEUE,
  isQueued: (file) => /\/(incoming|active|deferred)\//.test(file) && isComplete(file),
};

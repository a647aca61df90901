import { existsSync } from 'node:fs';
import { MAIL, RECIPES } from '../../../scripts/mta/recipes.ts';
import { selfSigned } from '../../../sink/self-signed.ts';
import type { Cage } from './cage.ts';
import { DOMAIN, HOST, type Kind, MAX_MESSAGE_BYTES, PASS, USER, type Wishes } from './mta.ts';

const EXIM = RECIPES.exim.accounts[0]?.id as number;

const configuration = (port: number, { connections, messages, without = [] }: Wishes): string => `
primary_hostname = ${HOST}
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
domainlist local_domains = ${DOMAIN}
message_size_limit = ${MAX_MESSAGE_BYTES}
log_file_path = /var/log/exim4/%slog
log_selector = +smtp_connection
pid_file_path = /run/exim.pid
keep_environment =
rfc1413_query_timeout = 0s
smtp_accept_max = 50
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_host = ${connections ?? 50}
smtp_accept_max_per_connection = ${messages ?? 1_000}
${without.map((name) => `${name.toLowerCase()}_advertise_hosts =\n`).join('')}smtputf8_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = /etc/exim4/cert.pem
tls_privatekey = /etc/exim4/key.pem
auth_advertise_hosts = \${if def:tls_in_cipher {*}}
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  deny local_parts = ^no
    message = 550 5.1.1 no such person
  defer local_parts = ^later
    message = 450 4.2.1 come back later
  accept domains = +local_domains
begin routers
all:
  driver = accept
  transport = all
begin transports
all:
  driver = appendfile
  directory = /var/mail/all
  maildir_format
  user = ${MAIL.name}
  envelope_to_add
  return_path_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq{$auth2}{${USER}}} {eq{$auth3}{${PASS}}}}}
  server_set_id = $auth2
`;

/** Exim: its daemon in the foreground, which delivers at once, and what a killed one has left every second. */
export const EXIM_KIND: Kind = {
  name: 'exim',
  extensions: ['PIPELINING', 'CHUNKING', 'SIZE', '8BITMIME', 'SMTPUTF8', 'STARTTLS'],
  limits: ['connections', 'messages'],
  configure(cage: Cage, port: number, wishes: Wishes): void {
    const { key, cert } = selfSigned(HOST);
    cage.write('/etc/exim4/key.pem', key);
    cage.write('/etc/exim4/cert.pem', cert);
    cage.write('/etc/exim4/exim4.conf', configuration(port, wishes));
    cage.folder('/var/spool/exim4', EXIM);
    cage.folder('/var/log/exim4', EXIM);
    cage.folder('/var/mail', MAIL.id);
  },
  start(cage: Cage): void {
    cage.start('/usr/sbin/exim4', '-bdf', '-q1s');
  },
  log: '/var/log/exim4/mainlog',
  connected: /SMTP connection from \[127\.0\.0\.1\].*\(TCP\/IP connection count/,
  chunked: / <= .* K /,
  mail: '/var/mail',
  queue: '/var/spool/exim4/input',
  // killed, it leaves the text of a message that it had not got whole, or the envelope of one that is delivered
  isQueued: (file) => file.endsWith('-H') && existsSync(file.replace(/H$/, 'D')),
};

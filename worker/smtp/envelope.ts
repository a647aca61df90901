import { isAscii } from 'node:buffer';
import type { Envelope } from '../tasks/contract.ts';
import type { Offers } from './offers.ts';

const PRINTABLE_ASCII = /^[ -~]*$/;
/** What would end the path or the command it stands in. Addresses were validated long before; this is the last gate. */
const BREAKS_OUT = /[\u0000-\u001f\u007f<>]/;

/** Commands as they are written; without SMTPUTF8 every character is one byte. */
export interface Commands {
  readonly text: string;
  readonly encoding: 'latin1' | 'utf8';
}

/**
 * Why a mail is not even begun with a relay that offers this; undefined: nothing speaks against it.
 *
 * A message beyond the SIZE that the relay named is refused here (RFC 1870 §5 says it will be rejected): the relay would refuse MAIL,
 * which is taken for a fault of the relay and must not be the fault of one large message.
 */
export function refusedHere({ from, to }: Envelope, bytes: number, offers: Offers): string | undefined {
  if (BREAKS_OUT.test(from) || BREAKS_OUT.test(to)) return 'the address cannot stand in an SMTP command';
  if (needsUtf8({ from, to }) && !offers.smtpUtf8)
    return 'the address needs SMTPUTF8 (RFC 6531), which the relay does not offer';
  if (offers.maxBytes !== undefined && bytes > offers.maxBytes)
    return `the message has ${bytes} bytes, the relay takes ${offers.maxBytes} (RFC 1870)`;
  return undefined;
}

/**
 * MAIL and RCPT, with RSET before them where it is needed. SIZE is that of the message as it is, without dots (RFC 1870 §6.1).
 * BODY=8BITMIME is said only of a message with bytes beyond ASCII (RFC 6152 §3), so that a relay need not convert or
 * bounce what is plain; one for a relay that does not offer 8BITMIME goes out undeclared. Our composer makes none such.
 */
export function envelopeCommands(
  envelope: Envelope,
  message: Buffer,
  offers: Offers,
  afterReset: boolean,
): Commands {
  const { from, to } = envelope;
  const isUtf8 = needsUtf8(envelope);
  const size = offers.size ? ` SIZE=${message.length}` : '';
  const eightBit = offers.eightBitMime && !isAscii(message) ? ' BODY=8BITMIME' : '';
  const utf8 = isUtf8 ? ' SMTPUTF8' : '';
  const reset = afterReset ? 'RSET\r\n' : '';
  return {
    text: `${reset}MAIL FROM:<${from}>${size}${eightBit}${utf8}\r\nRCPT TO:<${to}>\r\n`,
    encoding: isUtf8 ? 'utf8' : 'latin1',
  };
}

function needsUtf8({ from, to }: Envelope): boolean {
  return !PRINTABLE_ASCII.test(to) || !PRINTABLE_ASCII.test(from);
}

import type { SessionSettings } from './contract.ts';

/** What is said of a message beyond SIZE, when it is announced as when it has arrived (RFC 1870 §6). */
export const TOO_LARGE = '552 5.3.4 Message is larger than SIZE allows\r\n';

/** Whether AUTH is there now: not in clear where TLS is required. */
export function offersAuth(settings: SessionSettings, secure: boolean): boolean {
  return settings.auth !== 'off' && (secure || !settings.requireTls);
}

/** The reply to EHLO: the name and the extensions (RFC 5321 §4.1.1.1). */
export function ehloReply(settings: SessionSettings, secure: boolean): string {
  const lines = [settings.hostname];
  if (settings.pipelining) lines.push('PIPELINING');
  lines.push(`SIZE ${settings.maxMessageBytes}`, 'ENHANCEDSTATUSCODES');
  if (settings.eightBitMime) lines.push('8BITMIME');
  if (settings.smtpUtf8) lines.push('SMTPUTF8');
  if (settings.chunking) lines.push('CHUNKING');
  if (settings.starttls && !secure) lines.push('STARTTLS');
  if (offersAuth(settings, secure)) lines.push('AUTH PLAIN LOGIN');
  const last = lines.length - 1;
  return lines.map((text, index) => `250${index === last ? ' ' : '-'}${text}\r\n`).join('');
}

/** The reply that refuses MAIL for one of its parameters (RFC 1870, 6152, 6531, 4954), if one does. */
export function mailParametersRefusal(parameters: string, settings: SessionSettings): string | undefined {
  for (const parameter of parameters.split(/ +/)) {
    const [name = '', value = ''] = parameter.split('=', 2);
    const known =
      (name === 'SIZE' && /^\d{1,20}$/.test(value)) ||
      (name === 'BODY' && (value === '7BIT' || (value === '8BITMIME' && settings.eightBitMime))) ||
      (parameter === 'SMTPUTF8' && settings.smtpUtf8) ||
      (name === 'AUTH' && settings.auth !== 'off');
    if (!known) return '555 5.5.4 MAIL parameter not known\r\n';
    if (name === 'SIZE' && Number(value) > settings.maxMessageBytes) {
      return TOO_LARGE;
    }
  }
  return undefined;
}

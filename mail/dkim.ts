import { createPrivateKey, hash, type KeyObject, sign } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { readHeader, relaxedBodyHash, relaxedField } from './dkim-canonical.ts';
import { folded } from './fold.ts';

/** RFC 8301 §3.2: verifiers take nothing below. */
const MIN_RSA_BITS = 1024;
/** RFC 6376 §3.1: sub-domains as in a host name. */
const SELECTOR = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;
const DOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/;
const FIELD_NAME = /^[\x21-\x39\x3c-\x7e]+$/;

/** RFC 6376 §5.4.1, and List-Unsubscribe-Post as RFC 8058 §4 asks. */
export const SIGNED_FIELDS: readonly string[] = [
  'from',
  'sender',
  'reply-to',
  'subject',
  'date',
  'message-id',
  'to',
  'cc',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'content-id',
  'content-description',
  'in-reply-to',
  'references',
  'list-id',
  'list-help',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'list-subscribe',
  'list-post',
  'list-owner',
  'list-archive',
];

export interface DkimOptions {
  /** Who signs: `d=`. For DMARC the domain of From, or one above it. */
  readonly domain: string;
  /** The key's name in DNS: `<selector>._domainkey.<domain>`. */
  readonly selector: string;
  /** The private key, RSA (1024 bits or more; 2048 is usual) or Ed25519, as PEM or ready. */
  readonly key: string | KeyObject;
  /** Names of the fields to sign where they are there; From always. `SIGNED_FIELDS` when not given. */
  readonly headers?: readonly string[];
}

/** A DKIM setting that cannot be used. It never repeats the key. */
export class DkimError extends Error {
  override readonly name = 'DkimError';
  readonly code = 'DKIM_INVALID';
}

/** From a message as it goes to the relay, not dot-stuffed, to its DKIM-Signature field with its line end, which goes before it. */
export type DkimSigner = (message: Buffer) => Buffer;

/**
 * Signs messages for a domain (RFC 6376), relaxed/relaxed, with rsa-sha256 or, by the kind of the key, ed25519-sha256
 * (RFC 8463). The key is read once. Both signatures are functions of the bytes: a message is signed the same at every
 * attempt, hence no `t=` either.
 *
 * @throws DkimError
 */
export function dkimSigner(options: DkimOptions): DkimSigner {
  const key = readKey(options.key);
  const algorithm = key.asymmetricKeyType === 'ed25519' ? 'ed25519-sha256' : 'rsa-sha256';
  const domain = domainToASCII(options.domain);
  if (!DOMAIN.test(domain)) throw new DkimError('the domain is not valid');
  if (!SELECTOR.test(options.selector)) throw new DkimError('the selector is not valid');
  const names = fieldNames(options.headers ?? SIGNED_FIELDS);
  const start = `DKIM-Signature: v=1; a=${algorithm}; c=relaxed/relaxed; d=${domain}; q=dns/txt; s=${options.selector}`;
  return (message) => {
    const { fields, bodyStart } = readHeader(message);
    const signed = names.filter((name) => fields.has(name));
    const tags = `${start}; bh=${relaxedBodyHash(message.subarray(bodyStart))}; h=${signed.join(':')}`;
    const unsigned = `${folded(tags)};\r\n b=`;
    const input = [
      ...signed.map((name) => relaxedField(name, fields.get(name) ?? '')),
      // Its own field comes last, with an empty b= and without a line end (§3.7).
      relaxedField('dkim-signature', unsigned.slice(unsigned.indexOf(':') + 1).replaceAll('\r\n', '')),
    ].join('\r\n');
    const signature = signatureOf(Buffer.from(input, 'latin1'), key);
    return Buffer.from(`${unsigned}${inLines(signature)}\r\n`, 'latin1');
  };
}

function readKey(given: string | KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = typeof given === 'string' ? createPrivateKey(given) : given;
  } catch (cause) {
    throw new DkimError('the key is not a private key in PEM without a passphrase', { cause });
  }
  const { type, asymmetricKeyType, asymmetricKeyDetails } = key;
  if (type !== 'private' || (asymmetricKeyType !== 'rsa' && asymmetricKeyType !== 'ed25519')) {
    throw new DkimError('the key must be a private key, RSA or Ed25519');
  }
  if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) {
    throw new DkimError(`the key is shorter than ${MIN_RSA_BITS} bits`);
  }
  return key;
}

function fieldNames(headers: readonly string[]): readonly string[] {
  const wrong = headers.find((name) => !FIELD_NAME.test(name));
  if (wrong !== undefined) throw new DkimError('the name of a field to sign is not valid');
  // RFC 6376 §5.4: From must be signed.
  return [...new Set(['from', ...headers.map((name) => name.toLowerCase())])];
}

function signatureOf(input: Buffer, key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return sign('sha256', input, key).toString('base64');
  // RFC 8463 §3: Ed25519 signs the hash.
  return sign(null, hash('sha256', input, 'buffer'), key).toString('base64');
}

/** Behind ` b=` in the first line. */
function inLines(signature: string): string {
  return signature.replace(/^.{73}|.{75}/g, '$&\r\n ').trimEnd();
}

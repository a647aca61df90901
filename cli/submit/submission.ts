import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import type { Submission, SubmittedAttachment } from '../../client/index.ts';
import { CliError } from '../errors.ts';
import type { Profile } from '../profile/store.ts';

/** The flags of `mutirao submit` that say what is sent. */
export interface SubmissionFlags {
  readonly from?: string;
  readonly replyTo?: string;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly header?: readonly string[];
  readonly unsubscribe?: string;
  readonly oneClick?: boolean;
  readonly attach?: readonly string[];
  readonly key?: string;
  readonly name?: string;
  readonly strict?: boolean;
  readonly relay?: readonly string[];
  readonly onUnknown?: 'retry' | 'hold';
  readonly retryFor?: number;
  readonly expires?: number | Date;
}

/**
 * What the flags say, with the files read. A submission without `--key` gets one of its own, so that it may be repeated
 * when the connection breaks under it.
 *
 * @throws CliError for files that cannot be read and flags that contradict each other
 */
export async function submissionOf(flags: SubmissionFlags, profile: Profile): Promise<Submission> {
  const from = flags.from ?? profile.from;
  if (from === undefined) {
    throw new CliError('there is no sender', {
      hint: "give --from 'News <news@example.org>', or keep it: mutirao profile set from 'News <news@example.org>'",
    });
  }
  if (flags.text === undefined && flags.html === undefined) {
    throw new CliError('there is nothing to say: give --text FILE, --html FILE or both', {
      hint: 'to give the text by itself: echo Hello | mutirao submit --text - …',
    });
  }
  if (flags.text === '-' && flags.html === '-')
    throw new CliError('--text and --html cannot both be standard input');
  return {
    from,
    replyTo: flags.replyTo ?? profile['reply-to'],
    subject: flags.subject,
    text: await contentOf('--text', flags.text),
    html: await contentOf('--html', flags.html),
    headers: headersOf(flags.header ?? []),
    listUnsubscribe: flags.unsubscribe,
    oneClick: flags.oneClick,
    attachments: (flags.attach ?? []).map(attachmentOf),
    key: flags.key ?? `once-${randomUUID()}`,
    name: flags.name,
    strict: flags.strict,
    relays: flags.relay,
    onUnknown: flags.onUnknown,
    retry: flags.retryFor === undefined ? undefined : { forS: flags.retryFor },
    expires: flags.expires,
  };
}

async function contentOf(flag: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  if (path === '-') return readText(process.stdin);
  const bytes = fileBytes(flag, path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CliError(`${flag} ${path} is not UTF-8`, { hint: 'save it as UTF-8', cause });
  }
}

function attachmentOf(path: string): SubmittedAttachment {
  return { filename: basename(path), content: fileBytes('--attach', path) };
}

function fileBytes(flag: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new CliError(`${flag} ${path} cannot be read (${code})`, { cause });
    const hint = flag === '--attach' ? undefined : `${flag} takes a file, or - for standard input`;
    throw new CliError(`${flag} ${path}: there is no such file`, { hint, cause });
  }
}

/** `Name: value`, as in a mail (RFC 5322 §2.2: the name is printable ASCII without a colon). */
function headersOf(written: readonly string[]): Record<string, string> | undefined {
  if (written.length === 0) return undefined;
  const headers: Record<string, string> = {};
  for (const line of written) {
    const match = /^([!-9;-~]+)\s*:\s*(.*)$/s.exec(line);
    const [, name, value] = match ?? [];
    if (name === undefined || value === undefined) {
      throw new CliError(`--header '${line}' is not a header field`, {
        hint: "write it like --header 'X-Campaign: spring'",
      });
    }
    if (Object.keys(headers).some((known) => known.toLowerCase() === name.toLowerCase())) {
      throw new CliError(`--header ${name} is given twice`);
    }
    headers[name] = value;
  }
  return headers;
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type SubmissionFlags, submissionOf } from '../../cli/submit/submission.ts';
import { tempFolder } from './mutirao.ts';

const LETTER = join(import.meta.dirname, 'submission.test.ts');
const GOOD: SubmissionFlags = { from: 'a@example.org', subject: 's', text: LETTER };

test.each<[string, SubmissionFlags, string]>([
  ['no sender', { ...GOOD, from: undefined }, 'there is no sender'],
  ['nothing to say', { ...GOOD, text: undefined }, 'give --text FILE'],
  ['standard input twice', { ...GOOD, text: '-', html: '-' }, 'cannot both be standard input'],
  ['a folder for a text', { ...GOOD, text: import.meta.dirname }, 'cannot be read (EISDIR)'],
  [
    'an attachment that is not there',
    { ...GOOD, attach: ['nothing.pdf'] },
    '--attach nothing.pdf: there is no such file',
  ],
  [
    'a header without a colon',
    { ...GOOD, header: ['no colon'] },
    "--header 'no colon' is not a header field",
  ],
  ['a header twice', { ...GOOD, header: ['A: 1', 'a: 2'] }, '--header a is given twice'],
])('%s is an error that says so', async (_, flags, message) => {
  await expect(submissionOf(flags, {})).rejects.toThrow(message);
});

test('a text that is not UTF-8 is refused rather than damaged', async () => {
  const file = join(tempFolder(), 'letter.txt');
  writeFileSync(file, Buffer.from('ol\u00e1', 'latin1'));
  await expect(submissionOf({ ...GOOD, text: file }, {})).rejects.toThrow('is not UTF-8');
});

test('sender and reply address come from the profile where no flag gives them', async () => {
  const profile = { from: 'p@example.org', 'reply-to': 'r@example.org' };
  expect(await submissionOf({ ...GOOD, from: undefined }, profile)).toMatchObject({
    from: 'p@example.org',
    replyTo: 'r@example.org',
  });
  expect(await submissionOf(GOOD, profile)).toMatchObject({ from: 'a@example.org' });
});

test('a submission without a key gets one of its own', async () => {
  const keys = [await submissionOf(GOOD, {}), await submissionOf(GOOD, {})].map(
    (submission) => submission.key,
  );
  expect(keys[0]).toMatch(/^once-/);
  expect(keys[0]).not.toBe(keys[1]);
  expect((await submissionOf({ ...GOOD, key: 'k' }, {})).key).toBe('k');
});

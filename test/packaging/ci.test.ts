import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const COUNT = fileURLToPath(new URL('../../.ci/count.mjs', import.meta.url));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-ci-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function count(
  report: unknown,
  exitCode = 0,
  failedSteps = 0,
): { last: string | undefined; code: number | null } {
  const path = join(folder, 'tests.json');
  if (report !== undefined) writeFileSync(path, JSON.stringify(report));
  const run = spawnSync(process.execPath, [COUNT, path, String(exitCode), String(failedSteps)], {
    encoding: 'utf8',
  });
  return { last: run.stdout.trimEnd().split('\n').at(-1), code: run.status };
}

const file = (...statuses: string[]) => ({
  status: statuses.includes('failed') ? 'failed' : 'passed',
  assertionResults: statuses.map((status) => ({ status })),
});
const GREEN = { numPassedTests: 2, numFailedTests: 0, testResults: [file('passed', 'passed')] };

describe('the last line of .ci/run', () => {
  it('counts the tests', () => {
    expect(count(GREEN)).toEqual({ last: '2 passed, 0 failed', code: 0 });
  });

  it('counts failed tests', () => {
    const report = { numPassedTests: 1, numFailedTests: 1, testResults: [file('passed', 'failed')] };
    expect(count(report, 1)).toEqual({ last: '1 passed, 1 failed', code: 1 });
  });

  it('counts failed steps', () => {
    expect(count(GREEN, 0, 2)).toEqual({ last: '2 passed, 2 failed', code: 1 });
  });

  it('counts a file that could not be loaded', () => {
    const broken = { status: 'failed', assertionResults: [] };
    expect(count({ ...GREEN, testResults: [...GREEN.testResults, broken] }, 1)).toEqual({
      last: '2 passed, 1 failed',
      code: 1,
    });
  });

  it('counts an error outside of any test', () => {
    expect(count(GREEN, 1)).toEqual({ last: '2 passed, 1 failed', code: 1 });
  });

  it('is a failure when no test ran', () => {
    expect(count({ numPassedTests: 0, numFailedTests: 0, testResults: [] })).toEqual({
      last: '0 passed, 1 failed',
      code: 1,
    });
  });

  it('is a failure when there is no report', () => {
    expect(count(undefined, 1)).toEqual({ last: '0 passed, 1 failed', code: 1 });
  });
});

// Sums up a run: count.mjs REPORT VITEST_EXIT_CODE FAILED_STEPS. Plain JavaScript, for the Node of any machine.
import { readFileSync } from 'node:fs';

const [report, exitCode, failedSteps] = process.argv.slice(2);

/** Tests that failed, and files that failed without a single failed test: those could not even be loaded. */
function countTests() {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const brokenFiles = testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    );
    return { passed: numPassedTests, failed: numFailedTests + brokenFiles.length };
  } catch (error) {
    console.error(`The tests left no report: ${error.message}`);
    return { passed: 0, failed: 1 };
  }
}

const tests = countTests();
let failed = tests.failed + Number(failedSteps);
if (tests.passed + tests.failed === 0) {
  console.error('No test ran.');
  failed += 1;
} else if (tests.failed === 0 && exitCode !== '0') {
  console.error(
    `The tests passed, but their run failed with exit code ${exitCode}: an error outside of any test.`,
  );
  failed += 1;
}
console.log(`${tests.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** What a command says. With `--json`, standard output carries the result and nothing else. */
export class Output {
  readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  /** For people: on standard output, or with `--json` on standard error. */
  say(text: string): void {
    (this.json ? process.stderr : process.stdout).write(`${text}\n`);
  }

  /** For people, beside the result: what goes wrong and how far it is. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** For programs: one line of JSON, with `--json` only. */
  result(value: object): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value)}\n`);
  }
}

/** Waits until `check` gives something, or fails after the deadline with what was waited for. */
export async function until<T>(
  what: string,
  check: () => T | undefined | false | null,
  withinMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = check();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

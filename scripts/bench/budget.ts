/** Whether one more round may begin: the first always, later ones if the longest so far would still fit. */
export function allowsRound(roundsMs: readonly number[], elapsedMs: number, budgetMs: number): boolean {
  return roundsMs.length === 0 || elapsedMs + Math.max(...roundsMs) <= budgetMs;
}

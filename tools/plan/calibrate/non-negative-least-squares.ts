/** Sweeps over all unknowns at most; a fit of two dozen settles in a few hundred. */
const SWEEPS_MAX = 20_000;
/** Relative change of a whole sweep below which it has settled. */
const SETTLED = 1e-10;

/**
 * The x of which none is negative that makes |A x - b|² least, by coordinate descent: each unknown in
 * turn takes its best value with the others as they are (Franc et al., "Sequential coordinate-wise
 * algorithm for the non-negative least squares problem", 2005).
 *
 * @param rows A, row by row; columns of zeros give zero.
 */
export function solveNonNegative(
  rows: readonly (readonly number[])[],
  b: readonly number[],
): number[] {
  const width = rows[0]?.length ?? 0;
  // Columns are scaled to length one: their units differ by orders of magnitude.
  const lengths = Array.from({ length: width }, (_, j) =>
    Math.sqrt(rows.reduce((sum, row) => sum + row[j]! ** 2, 0)),
  );
  const x = new Array<number>(width).fill(0);
  const residual = b.map((value) => -value);
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let change = 0;
    for (let j = 0; j < width; j++) {
      const length = lengths[j]!;
      if (length === 0) continue;
      const gradient = rows.reduce((sum, row, i) => sum + (row[j]! / length) * residual[i]!, 0);
      const next = Math.max(0, x[j]! - gradient);
      const step = next - x[j]!;
      if (step === 0) continue;
      rows.forEach((row, i) => {
        residual[i]! += (row[j]! / length) * step;
      });
      x[j] = next;
      change = Math.max(change, Math.abs(step) / Math.max(1e-300, next, Math.abs(step)));
    }
    if (change < SETTLED) break;
  }
  return x.map((value, j) => (lengths[j] === 0 ? 0 : value / lengths[j]!));
}

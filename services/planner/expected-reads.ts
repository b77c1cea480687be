/** How often rows are expected to be read in another log like the one that was counted, by their count. */
export interface ExpectedReads {
  /** Expected reads of a listed row with a count up to `EXACT_COUNT_MAX`, by its count; the first is unused. */
  readonly byCount: readonly number[];
  /** What a higher count is taken to overstate. */
  readonly discount: number;
  /** Expected reads of all rows that are not listed. */
  readonly unlistedReads: number;
}

/**
 * What a row counted once counts for. Statistics of a sample of the lookups, as a cluster gives them, are
 * scaled up: no row has less than the scale, and then none less than twice of it.
 *
 * @param counts Of the listed rows, falling.
 */
export function countUnitOf(counts: Uint32Array): number {
  const unit = counts.at(-1) ?? 1;
  let rows = 0;
  for (let i = counts.length - 1; i >= 0 && counts[i]! < unit * (2 - SCALE_SLACK); i--) {
    if (counts[i]! > unit * (1 + SCALE_SLACK)) return 1;
    rows++;
  }
  return rows >= ROWS_OF_COUNT_MIN ? unit : 1;
}

/** Counts below this are told apart; higher ones are hardly off. */
export const EXACT_COUNT_MAX = 16;

/** Rows of one count, and of the next, from which their ratio is worth more than the counts. */
const ROWS_OF_COUNT_MIN = 50;

/** Scaled counts are rounded. */
const SCALE_SLACK = 0.02;

/**
 * Expected reads by Good and Turing: of the `n[c]` rows with count `c`, another log reads
 * `(c + 1) n[c + 1]` times, whatever their true frequencies are; so rows that were never read get as
 * many reads as there were rows read once (Good, "The population frequencies of species and the estimation of
 * population parameters", 1953). Where rows of a count are few, all higher counts are taken to overstate by one
 * number that keeps the sum, as in absolute discounting.
 *
 * Where rows that were read are not listed, one cannot say how many were read once: nothing is
 * discounted then, and the tail's reads belong to the rows that are not listed.
 *
 * @param counts Of the listed rows, falling; in units of `countUnitOf`.
 * @param unlistedRows Rows that are not listed.
 */
export function expectReads(
  counts: Uint32Array,
  tailReads: number,
  unlistedRows: number,
): ExpectedReads {
  const identity = Array.from({ length: EXACT_COUNT_MAX + 1 }, (_, count) => count);
  if (unlistedRows === 0 || tailReads > 0) {
    return { byCount: identity, discount: 0, unlistedReads: tailReads };
  }
  const rowsOf = rowsByCount(counts);
  let last = 0;
  while (
    last < EXACT_COUNT_MAX - 1 &&
    Math.min(rowsOf[last + 1]!, rowsOf[last + 2]!) >= ROWS_OF_COUNT_MIN
  ) {
    last++;
  }
  const higherRows = counts.length - sumOf(rowsOf.slice(1, last + 1));
  const discount = higherRows === 0 ? 0 : ((last + 1) * rowsOf[last + 1]!) / higherRows;
  const byCount = identity.map((count) => {
    if (count > last) return count - discount;
    return count === 0 ? 0 : ((count + 1) * rowsOf[count + 1]!) / rowsOf[count]!;
  });
  return { byCount, discount, unlistedReads: rowsOf[1]! };
}

/** Listed rows by count, up to `EXACT_COUNT_MAX`. */
function rowsByCount(counts: Uint32Array): number[] {
  const rows = new Array<number>(EXACT_COUNT_MAX + 1).fill(0);
  for (let i = counts.length - 1; i >= 0 && counts[i]! < rows.length; i--) rows[counts[i]!]!++;
  return rows;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

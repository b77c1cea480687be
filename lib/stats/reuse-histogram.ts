/** A row reused more than this often belongs to the bin: the thresholds Meta's traces are quoted in. */
export const REUSE_THRESHOLDS = [64, 32, 16, 8, 4, 2, 1] as const;

/** Rows read more than `above` times: their share of all touched rows, and of all row reads. */
export interface ReuseBin {
  readonly above: number;
  readonly rowShare: number;
  readonly readShare: number;
}

/** How unevenly rows are read: few rows take most reads. */
export interface ReuseHistogram {
  readonly touchedRowCount: number;
  readonly readCount: number;
  /** Reads of a touched row, on average. */
  readonly meanReuse: number;
  /** Cumulative, by falling threshold. */
  readonly bins: readonly ReuseBin[];
}

/**
 * The reuse histogram over the rows of several tables together.
 *
 * @param countsByTable Reads of each row, in any order; rows read 0 times are not touched.
 */
export function reuseHistogramOf(countsByTable: Iterable<Uint32Array>): ReuseHistogram {
  const rowsAbove = REUSE_THRESHOLDS.map(() => 0);
  const readsAbove = REUSE_THRESHOLDS.map(() => 0);
  let touchedRowCount = 0;
  let readCount = 0;
  for (const counts of countsByTable) {
    const part = countBins(counts);
    touchedRowCount += part.rows.at(-1)!;
    readCount += part.reads.at(-1)!;
    for (let b = 0; b < REUSE_THRESHOLDS.length; b++) {
      rowsAbove[b]! += part.rows[b]!;
      readsAbove[b]! += part.reads[b]!;
    }
  }
  return {
    touchedRowCount,
    readCount,
    meanReuse: touchedRowCount === 0 ? 0 : readCount / touchedRowCount,
    bins: REUSE_THRESHOLDS.map((above, b) => ({
      above,
      rowShare: touchedRowCount === 0 ? 0 : rowsAbove[b]! / touchedRowCount,
      readShare: readCount === 0 ? 0 : readsAbove[b]! / readCount,
    })),
  };
}

/** Cumulative rows and reads a threshold; a last entry holds all touched rows. */
function countBins(counts: Uint32Array): { rows: Float64Array; reads: Float64Array } {
  const binCount = REUSE_THRESHOLDS.length + 1;
  const rows = new Float64Array(binCount);
  const reads = new Float64Array(binCount);
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    // 1 → last, 2 → the one before, 3…4, 5…8, …, above 64 → first.
    const bin = Math.max(0, Math.clz32(count - 1) - 32 + binCount - 1);
    rows[bin]! += 1;
    reads[bin]! += count;
  }
  for (let b = 1; b < binCount; b++) {
    rows[b]! += rows[b - 1]!;
    reads[b]! += reads[b - 1]!;
  }
  return { rows, reads };
}

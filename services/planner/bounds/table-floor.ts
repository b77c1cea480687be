import { COLUMN_SPLIT_MULTIPLE } from "../../../lib/plan/plan.js";
import { type CostCoefficients, rowHitNsOf } from "../cost-model.js";
import { convexHull, type MissCurve } from "../miss-curve.js";
import type { TableDemand } from "../table-demand.js";

/** What a table costs at least, however it is cut: every bound is made of these. */
export interface TableFloor {
  readonly demand: TableDemand;
  /** Microseconds with all rows in memory, over all its partitions. */
  readonly memoryUs: number;
  /** What every partition beyond the first adds at least. */
  readonly partUs: number;
  /** Blocks read by bytes of cache, over all its partitions: falling and convex. */
  readonly missFloor: MissCurve;
  /** Memory that its rows take beside any cache is the same however they are cut. */
  readonly rowCount: number;
}

/** @param isWhole The table is not cut, so that no narrower partition is cheaper a column. */
export function tableFloorOf(
  demand: TableDemand,
  coefficients: CostCoefficients,
  isWhole: boolean,
): TableFloor {
  const { table, featureCount, querySamples, readsPerQuery } = demand;
  const bags = featureCount * querySamples;
  const partUs = featureCount * coefficients.segmentUs + (bags * coefficients.bagNs) / 1000;
  const answerBytes = bags * table.embeddingDim * Float32Array.BYTES_PER_ELEMENT;
  const rowNs = isWhole
    ? rowHitNsOf(coefficients, table.dtype, table.embeddingDim)
    : leastRowNs(demand, coefficients);
  return {
    demand,
    memoryUs: partUs + (answerBytes * coefficients.answerByteNs + readsPerQuery * rowNs) / 1000,
    partUs,
    missFloor: missFloorOf(demand, coefficients),
    rowCount: table.rowCount,
  };
}

/** Nanoseconds for all columns of a row, at the width that is cheapest a column. */
function leastRowNs({ table }: TableDemand, coefficients: CostCoefficients): number {
  const { embeddingDim, dtype } = table;
  let leastAColumn = rowHitNsOf(coefficients, dtype, embeddingDim) / embeddingDim;
  for (let columns = 1; columns < embeddingDim; columns++) {
    // Parts end on multiples, the last one at the table's end: any other width is none of a plan's.
    const isWidth = columns % COLUMN_SPLIT_MULTIPLE === 0;
    const isLastWidth = (embeddingDim - columns) % COLUMN_SPLIT_MULTIPLE === 0;
    if (!isWidth && !isLastWidth) continue;
    leastAColumn = Math.min(leastAColumn, rowHitNsOf(coefficients, dtype, columns) / columns);
  }
  return leastAColumn * embeddingDim;
}

/**
 * Blocks read at least, whatever the cut, with the hottest rows in memory. A row read `m` times in a query reads
 * `(1 - exp(-b m)) / b` blocks, concave in `m`: over the rows of one heat band the function is replaced by
 * its chord, below it, because a cut may part the band's hotter rows from its colder ones. Of the rows of a band
 * that memory ends in, each saves at most what the hottest would and leaves at least what the coldest
 * does: two straight lines below the curve. Rows a block are not rounded down, as stores round them: of
 * column parts each may round otherwise.
 */
function missFloorOf(demand: TableDemand, coefficients: CostCoefficients): MissCurve {
  const { profile, rowBytes, readsPerQuery } = demand;
  const readsTotal = profile.bands.reduce((sum, band) => sum + band.reads, 0);
  if (readsTotal === 0 || readsPerQuery === 0) return [{ bytes: 0, blocks: 0 }];
  const scale = readsPerQuery / readsTotal;
  const rowsABlock = Math.max(1, coefficients.blockBytes / rowBytes);
  const blocksOf = (reads: number): number => -Math.expm1(-rowsABlock * reads * scale) / rowsABlock;
  const steps = profile.bands.map(({ rows, reads, readsARowMin, readsARowMax }) => {
    const low = blocksOf(readsARowMin);
    const high = blocksOf(readsARowMax);
    const width = readsARowMax - readsARowMin;
    const along = width > 0 ? clamped((reads / rows - readsARowMin) / width) : 1;
    return { rows, low, high, along, blocks: rows * (low + (high - low) * along) };
  });
  let blocks = steps.reduce((sum, step) => sum + step.blocks, 0);
  let rows = 0;
  const points = [{ bytes: 0, blocks }];
  for (const step of steps) {
    const asHottest = step.rows * step.along;
    points.push({ bytes: (rows + asHottest) * rowBytes, blocks: blocks - asHottest * step.high });
    rows += step.rows;
    blocks = Math.max(0, blocks - step.blocks);
    points.push({ bytes: rows * rowBytes, blocks });
  }
  return convexHull(points);
}

function clamped(share: number): number {
  return Math.min(1, Math.max(0, share));
}

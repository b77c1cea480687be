import { type CostCoefficients, leastRowNsOf, rowHitNsOf } from "../cost-model.js";
import { convexHull, type MissCurve } from "../miss-curve.js";
import type { TableDemand } from "../table-demand.js";

/** What a table costs at least, however it is cut: every bound is made of these. */
export interface TableFloor {
  readonly demand: TableDemand;
  /** Microseconds with all rows in memory, over all its partitions. */
  readonly memoryUs: number;
  /** What every partition beyond the first adds at least. */
  readonly partUs: number;
  /** The answer, once; counted in `memoryUs`. */
  readonly answerUs: number;
  /**
   * What a cut adds at least beside: where no partition has some column of all rows, every column is
   * answered for twice; where one has, every row is pooled in two ranges of columns.
   */
  readonly cutUs: number;
  /** Blocks read by bytes of cache, over all its partitions: falling and convex. */
  readonly missFloor: MissCurve;
  /** What single rows cost at least, by heat. */
  readonly rowFloors: readonly RowFloor[];
  /** Memory that its rows take beside any cache is the same however they are cut. */
  readonly rowCount: number;
}

/** Rows about equally hot: what one of them costs at least. */
export interface RowFloor {
  readonly rows: number;
  readonly poolUs: number;
  /** Blocks read for it when it is not in memory. */
  readonly blocks: number;
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
  const answerUs = (answerBytes * coefficients.answerByteNs) / 1000;
  const least = leastRowNsOf(coefficients, table.dtype, table.embeddingDim);
  const rowNs = isWhole ? rowHitNsOf(coefficients, table.dtype, table.embeddingDim) : least.any;
  return {
    demand,
    memoryUs: partUs + answerUs + (readsPerQuery * rowNs) / 1000,
    ...{ partUs, answerUs },
    cutUs: Math.min(answerUs, (readsPerQuery * (least.split - least.any)) / 1000),
    missFloor: missFloorOf(demand, coefficients),
    rowFloors: rowFloorsOf(demand, coefficients, rowNs),
    rowCount: table.rowCount,
  };
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
  const { profile, rowBytes } = demand;
  const scale = readsScaleOf(demand);
  if (scale === 0) return [{ bytes: 0, blocks: 0 }];
  const blocksOf = (reads: number): number => blocksARow(demand, coefficients, reads * scale);
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

function rowFloorsOf(
  demand: TableDemand,
  coefficients: CostCoefficients,
  rowNs: number,
): RowFloor[] {
  const scale = readsScaleOf(demand);
  return demand.profile.bands.map(({ rows, readsARowMin }) => ({
    rows,
    poolUs: (readsARowMin * scale * rowNs) / 1000,
    blocks: blocksARow(demand, coefficients, readsARowMin * scale),
  }));
}

/** Reads a query for each read of the log. */
function readsScaleOf({ profile, readsPerQuery }: TableDemand): number {
  const readsTotal = profile.bands.reduce((sum, band) => sum + band.reads, 0);
  return readsTotal === 0 ? 0 : readsPerQuery / readsTotal;
}

function blocksARow(demand: TableDemand, { blockBytes }: CostCoefficients, reads: number): number {
  const rowsABlock = Math.max(1, blockBytes / demand.rowBytes);
  return -Math.expm1(-rowsABlock * reads) / rowsABlock;
}

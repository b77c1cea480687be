import type { CostCoefficients } from "../cost-model.js";
import { MEMORY_BYTES_A_ROW, MEMORY_OVERHEAD_FRACTION } from "../shard-memory.js";
import type { TableFloor } from "./table-floor.js";

/** Rows that so much of a shard's means can hold at the most, by rising means: a concave curve. */
export type RowsForMeans = readonly { readonly us: number; readonly rows: number }[];

/**
 * How many rows shards can hold at the most, whose time and memory, at a price of memory, come to so many
 * microseconds: first those that ask least, be it time to pool and to read from disk, or time to pool
 * and memory. It holds at any price. Of a row that is cut by columns a part counts for its part of the row.
 *
 * @param usAByte Price of a byte of memory.
 */
export function rowsForMeansOf(
  floors: readonly TableFloor[],
  coefficients: CostCoefficients,
  usAByte: number,
): RowsForMeans {
  const steps = floors.flatMap((floor) => rowMeansOf(floor, coefficients, usAByte));
  steps.sort((a, b) => a.usARow - b.usARow);
  let us = 0;
  let rows = 0;
  return [
    { us, rows },
    ...steps.map((step) => {
      us += step.rows * step.usARow;
      rows += step.rows;
      return { us, rows };
    }),
  ];
}

/** What a table asks of a shard at least that holds all of it: time, and memory at its price, in microseconds. */
export function meansOf(
  floor: TableFloor,
  coefficients: CostCoefficients,
  usAByte: number,
): number {
  const { partUs, answerUs } = floor;
  return rowMeansOf(floor, coefficients, usAByte).reduce(
    (sum, { rows, usARow }) => sum + rows * usARow,
    partUs + answerUs,
  );
}

function rowMeansOf(
  { demand, rowFloors }: TableFloor,
  { blockMissUs }: CostCoefficients,
  usAByte: number,
): { readonly rows: number; readonly usARow: number }[] {
  const cachedUs = demand.rowBytes * (1 + MEMORY_OVERHEAD_FRACTION) * usAByte;
  return rowFloors.map(({ rows, poolUs, blocks }) => ({
    rows,
    usARow: poolUs + Math.min(cachedUs, blocks * blockMissUs) + MEMORY_BYTES_A_ROW * usAByte,
  }));
}

/** Rows for so much of the means, straight between two points of the curve. */
export function rowsFor(curve: RowsForMeans, us: number): number {
  let low = 0;
  let high = curve.length - 1;
  if (us >= curve[high]!.us) return curve[high]!.rows;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (curve[middle]!.us <= us) low = middle;
    else high = middle;
  }
  const a = curve[low]!;
  const b = curve[high]!;
  return a.rows + ((b.rows - a.rows) * Math.max(0, us - a.us)) / (b.us - a.us);
}

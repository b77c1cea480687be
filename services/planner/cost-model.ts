import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import type { Dtype } from "../../lib/model/dtype.js";
import { COLUMN_SPLIT_MULTIPLE } from "../../lib/plan/plan.js";

const positive = z.number().positive();
const notNegative = z.number().min(0);

const rowHitPoints = z
  .array(z.strictObject({ columns: z.int().min(1), ns: positive }).readonly())
  .min(1)
  .readonly();

const coefficientsSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** What was measured, for reports: `defaults`, or a machine's name and date. */
  source: z.string(),
  /** Microseconds a shard spends on one lookup message and its answer, whatever is in them. */
  messageUs: notNegative,
  /** Microseconds for one segment of a lookup: one (feature, partition). */
  segmentUs: notNegative,
  /** Nanoseconds for one bag of a segment, empty ones too. */
  bagNs: notNegative,
  /** Nanoseconds to find and pool one row in memory, by the columns it has; straight lines between. */
  rowHitNs: z.strictObject({
    float32: rowHitPoints,
    float16: rowHitPoints,
    int8: rowHitPoints,
    int4: rowHitPoints,
  }),
  /** Nanoseconds a byte of answer. */
  answerByteNs: notNegative,
  /** Microseconds for one block that is not in memory: read, checked, copied. */
  blockMissUs: notNegative,
  /** Row bytes of one block. */
  blockBytes: z.int().min(1),
  /** Microseconds a sample of the dense part, on the frontend. */
  denseSampleUs: notNegative,
  /** Microseconds the frontend spends on one message to a shard, whatever is in it. */
  fanOutUs: notNegative,
});

/** What work costs on the machine that was calibrated; a shard's weight divides it. */
export type CostCoefficients = Readonly<z.output<typeof coefficientsSchema>>;

/**
 * Costs of a 2-core x86-64 virtual machine (AMD EPYC, Node 20.20.2, AVX-512, page cache warm, 2026-11-24),
 * for planning without a calibration run: what `plan calibrate` said there, the middle of three runs. Ratios between
 * them matter more than their size.
 */
export const DEFAULT_COEFFICIENTS: CostCoefficients = {
  formatVersion: 1,
  source: "defaults",
  messageUs: 27,
  segmentUs: 0.67,
  bagNs: 7,
  rowHitNs: {
    float32: [
      { columns: 16, ns: 4.8 },
      { columns: 64, ns: 14.8 },
      { columns: 128, ns: 25.8 },
    ],
    float16: [
      { columns: 16, ns: 6.4 },
      { columns: 64, ns: 12.5 },
      { columns: 128, ns: 20.9 },
    ],
    int8: [
      { columns: 16, ns: 5.2 },
      { columns: 64, ns: 11.7 },
      { columns: 128, ns: 20.6 },
    ],
    int4: [
      { columns: 16, ns: 6.9 },
      { columns: 64, ns: 14 },
      { columns: 128, ns: 23.6 },
    ],
  },
  answerByteNs: 0.25,
  blockMissUs: 6.2,
  blockBytes: 8192,
  // 26 tables, 13-512-256-64, dot, 415-512-256-1, batch 128 on one thread.
  denseSampleUs: 6,
  fanOutUs: 21,
};

/**
 * Checks the contents of a coefficients file, as `plan calibrate` writes it.
 *
 * @throws ShardpoolError CONFIG_INVALID, with every problem found.
 */
export function parseCoefficients(raw: unknown, what: string): CostCoefficients {
  return parseConfig(coefficientsSchema, raw, what);
}

/** Nanoseconds to find and pool one row in memory. */
export function rowHitNsOf(
  coefficients: CostCoefficients,
  dtype: Dtype,
  columnCount: number,
): number {
  const points = coefficients.rowHitNs[dtype].toSorted((a, b) => a.columns - b.columns);
  const after = points.findIndex((point) => point.columns >= columnCount);
  // Beyond either end the nearest line goes on.
  const right = after === -1 ? points.length - 1 : Math.max(after, Math.min(1, points.length - 1));
  const left = Math.max(0, right - 1);
  const a = points[left]!;
  const b = points[right]!;
  if (a.columns === b.columns) return (a.ns * columnCount) / a.columns;
  const ns = a.ns + ((b.ns - a.ns) * (columnCount - a.columns)) / (b.columns - a.columns);
  return Math.max(ns, Math.min(...points.map((point) => point.ns)) / 4);
}

/**
 * Nanoseconds for all columns of one row, in whatever column ranges are cheapest, and in two ranges or more.
 * Ranges end on multiples, the last one at the table's end.
 */
export function leastRowNsOf(
  coefficients: CostCoefficients,
  dtype: Dtype,
  embeddingDim: number,
): { readonly any: number; readonly split: number } {
  const ends: number[] = [];
  for (let end = COLUMN_SPLIT_MULTIPLE; end < embeddingDim; end += COLUMN_SPLIT_MULTIPLE)
    ends.push(end);
  const leastTo = new Map<number, number>([[0, 0]]);
  const leastBefore = (end: number, starts: Iterable<number>): number => {
    let least = Number.POSITIVE_INFINITY;
    for (const start of starts) {
      least = Math.min(least, leastTo.get(start)! + rowHitNsOf(coefficients, dtype, end - start));
    }
    return least;
  };
  for (const end of ends) leastTo.set(end, leastBefore(end, leastTo.keys()));
  const split = leastBefore(embeddingDim, ends);
  return { any: Math.min(split, rowHitNsOf(coefficients, dtype, embeddingDim)), split };
}

import type { Random } from "../../lib/random.js";

/** Samples a query in MLPerf's DLRM-v2 server scenario: 20 sizes, 270 on average. */
const MLPERF_QUERY_SIZES = [
  100, 100, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 300, 300, 400, 500, 600,
  700,
];

/**
 * Sizes that sum to `sampleCount`: MLPerf's twenty over and over, each time in another order. The
 * last query is cut to what is left.
 */
export function drawQuerySizes(sampleCount: number, random: Random): number[] {
  const sizes: number[] = [];
  let left = sampleCount;
  while (left > 0) {
    const round = [...MLPERF_QUERY_SIZES];
    random.shuffle(round);
    for (const size of round) {
      if (left === 0) break;
      sizes.push(Math.min(size, left));
      left -= Math.min(size, left);
    }
  }
  return sizes;
}

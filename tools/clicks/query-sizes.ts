import type { Random } from "../../lib/random.js";

/** Samples a query in MLPerf's DLRM-v2 server scenario: 20 sizes, 270 on average. */
const MLPERF_QUERY_SIZES = [
  100, 100, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 300, 300, 400, 500, 600,
  700,
];

/** MLPerf's twenty sizes over and over, each time in another order, without end. */
export function* mlperfQuerySizes(random: Random): Generator<number, never> {
  for (;;) {
    const round = [...MLPERF_QUERY_SIZES];
    random.shuffle(round);
    yield* round;
  }
}

/** Sizes that sum to `sampleCount`; the last query is cut to what is left. */
export function drawQuerySizes(sampleCount: number, random: Random): number[] {
  const sizes: number[] = [];
  let left = sampleCount;
  if (left === 0) return sizes;
  for (const size of mlperfQuerySizes(random)) {
    sizes.push(Math.min(size, left));
    left -= Math.min(size, left);
    if (left === 0) return sizes;
  }
  return sizes;
}

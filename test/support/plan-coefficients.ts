import type { CostCoefficients } from "../../services/planner/cost-model.js";

const rowHitNs = [
  { columns: 16, ns: 15 },
  { columns: 64, ns: 30 },
  { columns: 128, ns: 60 },
];

/**
 * Costs for tests whose outcome is written down: these stay when a machine is measured anew. Small blocks, so that tables
 * of a thousand rows have many.
 */
export const PLAN_CASE_COEFFICIENTS: CostCoefficients = {
  ...{ formatVersion: 1, source: "test" },
  ...{ messageUs: 15, segmentUs: 0.7, bagNs: 8, answerByteNs: 0.4 },
  rowHitNs: { float32: rowHitNs, float16: rowHitNs, int8: rowHitNs, int4: rowHitNs },
  ...{ blockMissUs: 12, blockBytes: 1024, denseSampleUs: 9, fanOutUs: 15 },
};

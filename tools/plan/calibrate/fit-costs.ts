import { DTYPES, type Dtype } from "../../../lib/model/dtype.js";
import type { CostCoefficients } from "../../../services/planner/cost-model.js";
import { medianOf } from "../../cli/median.js";
import { CALIBRATED_DIMS } from "./calibration-model.js";
import { answerBytesOf, type CalibrationShape, rowsOf } from "./calibration-shapes.js";
import { solveNonNegative } from "./non-negative-least-squares.js";

/** What one lookup of a shape took the shard. */
export interface MeasuredShape {
  readonly shape: CalibrationShape;
  readonly cpuUs: number;
}

/** The costs that the lookups give. */
export type FittedCosts = Pick<
  CostCoefficients,
  "messageUs" | "segmentUs" | "bagNs" | "rowHitNs" | "answerByteNs"
>;

const ROW_KINDS = DTYPES.flatMap((dtype) => CALIBRATED_DIMS.map((columns) => ({ dtype, columns })));

const REWEIGHT_ROUNDS = 6;
/** Errors below are what measurements differ by in any case. */
const USUAL_ERROR_MIN = 0.02;

/** A row costs something, even where the fit puts its whole cost elsewhere. */
const ROW_NS_MIN = 0.1;

/**
 * The costs that explain all lookups best: least squares of the relative errors, none below zero.
 * Costs are in microseconds and scaled back at the end.
 */
export function fitCosts(measured: readonly MeasuredShape[]): FittedCosts {
  const rows = measured.map(({ shape, cpuUs }) => termsOf(shape).map((term) => term / cpuUs));
  const solution = solveRobustly(rows);
  const [messageUs = 0, segmentUs = 0, bagUs = 0, answerByteUs = 0, ...rowUs] = solution;
  const pointsOf = (dtype: Dtype): FittedCosts["rowHitNs"][Dtype] =>
    ROW_KINDS.flatMap((kind, i) =>
      kind.dtype === dtype
        ? [{ columns: kind.columns, ns: Math.max(ROW_NS_MIN, nsOf(rowUs[i] ?? 0)) }]
        : [],
    );
  return {
    messageUs: rounded(messageUs),
    segmentUs: rounded(segmentUs),
    bagNs: nsOf(bagUs),
    answerByteNs: nsOf(answerByteUs),
    rowHitNs: {
      float32: pointsOf("float32"),
      float16: pointsOf("float16"),
      int8: pointsOf("int8"),
      int4: pointsOf("int4"),
    },
  };
}

/** What a lookup of a shape costs by the coefficients, all rows in memory. */
export function fittedUs(costs: FittedCosts, shape: CalibrationShape): number {
  const { segments, bags, dtype, embeddingDim } = shape;
  const rowNs = costs.rowHitNs[dtype].find((point) => point.columns === embeddingDim)?.ns ?? 0;
  return (
    costs.messageUs +
    costs.segmentUs * segments +
    (costs.bagNs * segments * bags +
      costs.answerByteNs * answerBytesOf(shape) +
      rowNs * rowsOf(shape)) /
      1000
  );
}

/**
 * Least squares for A x = 1 in which an error above the usual counts by its size and not its square
 * (Huber): one lookup that a neighbour disturbed does not bend all costs.
 */
function solveRobustly(rows: readonly (readonly number[])[]): number[] {
  let weights = rows.map(() => 1);
  let solution: number[] = [];
  for (let round = 0; round < REWEIGHT_ROUNDS; round++) {
    const weighted = rows.map((row, i) => row.map((value) => value * weights[i]!));
    solution = solveNonNegative(weighted, weights);
    const errors = rows.map((row) =>
      Math.abs(row.reduce((sum, value, j) => sum + value * solution[j]!, 0) - 1),
    );
    const usual = Math.max(USUAL_ERROR_MIN, medianOf(errors) * 1.5);
    weights = errors.map((error) => (error <= usual ? 1 : Math.sqrt(usual / error)));
  }
  return solution;
}

/** How often each cost is paid, in the order of the solution. */
function termsOf(shape: CalibrationShape): number[] {
  const { segments, bags, dtype, embeddingDim } = shape;
  const rows = ROW_KINDS.map((kind) =>
    kind.dtype === dtype && kind.columns === embeddingDim ? rowsOf(shape) : 0,
  );
  return [1, segments, segments * bags, answerBytesOf(shape), ...rows];
}

function nsOf(us: number): number {
  return rounded(us * 1000);
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

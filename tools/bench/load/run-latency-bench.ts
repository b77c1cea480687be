import { ShardpoolError } from "../../../lib/errors.js";
import { type BenchQueries, readBenchQueries } from "./bench-queries.js";
import { testGenerator } from "./generator-test.js";
import {
  type LatencyOptions,
  type LatencyOptionsInput,
  parseLatencyOptions,
} from "./latency-options.js";
import type { GeneratorTest, LatencyResult } from "./latency-result.js";
import type { MeasureLoadHooks } from "./measure-load.js";
import { measureQueries } from "./measure-queries.js";

/**
 * Sends a click log's queries to a running inference server and measures.
 *
 * A target that dies in the middle, failed queries and a missed SLO do not throw: the result says
 * so, and `assertGoodResult` turns it into an error.
 *
 * @throws ShardpoolError CONFIG_INVALID for options; what reading the log throws; TARGET_UNAVAILABLE
 * or MODEL_NOT_FOUND when the target does not answer for this model at the start.
 */
export async function runLatencyBench(
  input: LatencyOptionsInput,
  hooks: MeasureLoadHooks = {},
): Promise<LatencyResult> {
  const options = parseLatencyOptions(input);
  const source = await readBenchQueries(options);
  const generator = options.selfTest ? await selfTest(source, input, options) : null;
  return measureQueries(source, input, hooks, generator);
}

/** The generator alone, at the highest rate this run will ask of it. */
function selfTest(
  source: BenchQueries,
  { clients, inFlightMax, channelCount, modelDir, clicksFile }: LatencyOptionsInput,
  { segments, seed }: LatencyOptions,
): Promise<GeneratorTest> {
  const rates = segments.flatMap(({ qpsStart, qpsEnd }) => [qpsStart, qpsEnd]);
  return testGenerator(
    source,
    { clients, inFlightMax, channelCount, modelDir, clicksFile, seed },
    { qpsWanted: rates.length === 0 ? null : Math.max(...rates) },
  );
}

/**
 * Throws when a run did not do what was asked of it.
 *
 * @throws ShardpoolError TARGET_UNAVAILABLE when the target was lost, LIMIT_EXCEEDED when more
 * queries failed than allowed, SLO_MISSED when a rule was missed.
 */
export function assertGoodResult(result: LatencyResult, errorRatioMax: number): void {
  if (result.endedBy === "target-lost") {
    throw new ShardpoolError(
      "TARGET_UNAVAILABLE",
      `${result.target} stopped answering; the report shows what was measured before`,
    );
  }
  if (result.errorRatio > errorRatioMax) {
    const failed = result.queryCount - result.answeredCount;
    throw new ShardpoolError(
      "LIMIT_EXCEEDED",
      `${failed} of ${result.queryCount} queries failed (${(result.errorRatio * 100).toFixed(2)} %), the limit is ${errorRatioMax * 100} %`,
    );
  }
  const missed = result.slo.filter((verdict) => !verdict.met);
  if (missed.length > 0) {
    throw new ShardpoolError("SLO_MISSED", missed.map((verdict) => verdict.rule).join(", "));
  }
}

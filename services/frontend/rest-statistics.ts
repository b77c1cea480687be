import type { DurationSum, statisticsOf } from "./model-statistics.js";

type Statistics = ReturnType<typeof statisticsOf>;

/** The statistics extension's JSON: the gRPC message in its own spelling. */
export function restStatisticsOf(statistics: Statistics) {
  const { inferenceStats, batchStats } = statistics;
  return {
    model_stats: [
      {
        name: statistics.name,
        version: statistics.version,
        last_inference: statistics.lastInference,
        inference_count: statistics.inferenceCount,
        execution_count: statistics.executionCount,
        inference_stats: {
          success: inferenceStats.success,
          fail: inferenceStats.fail,
          queue: inferenceStats.queue,
          ...computeOf(inferenceStats),
        },
        batch_stats: batchStats.map((batch) => ({
          batch_size: batch.batchSize,
          ...computeOf(batch),
        })),
      },
    ],
  };
}

interface Compute {
  readonly computeInput: DurationSum;
  readonly computeInfer: DurationSum;
  readonly computeOutput: DurationSum;
}

function computeOf({ computeInput, computeInfer, computeOutput }: Compute) {
  return {
    compute_input: computeInput,
    compute_infer: computeInfer,
    compute_output: computeOutput,
  };
}

import { bytesOf } from "./byte-views.js";
import type { ShardSpan } from "./fan-out.js";
import type { InferOptions } from "./infer-options.js";
import type { ModelInferRequest } from "./infer-request-codec.js";
import type { InferOutputTensor, InferParameter, ModelInferResponse } from "./inference-wire.js";
import type { QueryAnswer } from "./query-service.js";
import type { OutputName, ServedModel } from "./served-model.js";

/** The answer as the protocol's message: raw contents where the request came in raw contents. */
export function inferResponseOf(
  model: ServedModel,
  request: ModelInferRequest,
  options: InferOptions,
  answer: QueryAnswer,
): ModelInferResponse {
  const isRaw = request.rawInputContents.length > 0;
  const tensors = options.outputs.map((name) => outputOf(name, answer));
  return {
    modelName: model.manifest.name,
    modelVersion: model.manifest.version,
    id: request.id,
    parameters: parametersOf(options, answer),
    outputs: tensors.map(
      ({ name, shape, values }): InferOutputTensor => ({
        name,
        datatype: "FP32",
        shape,
        ...(!isRaw && { contents: { fp32Contents: values } }),
      }),
    ),
    rawOutputContents: isRaw ? tensors.map(({ values }) => bytesOf(values)) : [],
  };
}

/** One output of an answer; every output is FP32. */
export interface OutputTensor {
  readonly name: OutputName;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The output asked for; `readInferOptions` has seen to it that it is there. */
export function outputOf(name: OutputName, { result, sampleCount }: QueryAnswer): OutputTensor {
  const values = result[name]!;
  return { name, shape: [sampleCount, values.length / sampleCount], values };
}

/** The parameters every answer has, and the stage times in microseconds where they are wanted. */
export function answerParametersOf(
  { wantsTimings }: InferOptions,
  { planEpoch, defaultRowCount, totalUs, result: { stages } }: QueryAnswer,
): Record<string, number | boolean | string> {
  return {
    plan_epoch: planEpoch,
    degraded: false,
    default_rows: defaultRowCount,
    ...(wantsTimings && {
      queue_us: Math.round(stages.queueUs),
      network_us: Math.round(stages.networkUs),
      shard_queue_us: stages.shardQueueUs,
      memory_us: stages.memoryUs,
      ssd_us: stages.ssdUs,
      pool_us: stages.poolUs,
      dense_us: Math.round(stages.denseUs),
      total_us: Math.round(totalUs),
      rows_hit: stages.rowsHit,
      rows_missed: stages.rowsMissed,
      blocks_read: stages.blocksRead,
      shard_timings: stages.shards.map(formatSpan).join(";"),
    }),
  };
}

function parametersOf(options: InferOptions, answer: QueryAnswer): Record<string, InferParameter> {
  return Object.fromEntries(
    Object.entries(answerParametersOf(options, answer)).map(([name, value]) => [
      name,
      parameterOf(value),
    ]),
  );
}

function parameterOf(value: number | boolean | string): InferParameter {
  if (typeof value === "boolean") return { boolParam: value };
  return typeof value === "string" ? { stringParam: value } : { int64Param: value };
}

/** `ID:waited,queue,memory,ssd,pool,total`, microseconds: what a load generator draws a query from. */
function formatSpan({ shardId, waitedUs, timings }: ShardSpan): string {
  const { queueUs, memoryUs, ssdUs, poolUs, totalUs } = timings;
  return `${shardId}:${[Math.round(waitedUs), queueUs, memoryUs, ssdUs, poolUs, totalUs].join(",")}`;
}

import type { ServerUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Clock } from "../../lib/clock.js";
import type { Logger } from "../../lib/log.js";
import { unaryHandler } from "../../lib/rpc/unary-handler.js";
import { readInferOptions } from "./infer-options.js";
import { inferResponseOf } from "./infer-response.js";
import { decodeModelInferRequest, encodeModelInferResponse } from "./inference-wire.js";
import { readInputTensors } from "./input-tensor.js";
import type { QueryService } from "./query-service.js";
import { assertServed, inputsOf, outputsOf, PLATFORM } from "./served-model.js";

export interface InferenceServiceOptions {
  readonly queries: QueryService;
  /** True while a query would be answered. */
  readonly isReady: () => boolean;
  /** Version of the server itself. */
  readonly serverVersion: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** `inference.GRPCInferenceService`; it goes with `inferenceServiceDefinition()`. */
export function createInferenceService(
  options: InferenceServiceOptions,
): UntypedServiceImplementation {
  const { queries, isReady, log } = options;
  const { model } = queries;
  return {
    ServerLive: unaryHandler(log, async () => ({ live: true })),
    ServerReady: unaryHandler(log, async () => ({ ready: isReady() })),
    ModelReady: unaryHandler(log, async ({ name, version }: ModelKey) => {
      assertServed(model, name, version);
      return { ready: isReady() };
    }),
    ServerMetadata: unaryHandler(log, async () => ({
      name: "shardpool",
      version: options.serverVersion,
      extensions: [],
    })),
    ModelMetadata: unaryHandler(log, async ({ name, version }: ModelKey) => {
      assertServed(model, name, version);
      return {
        name: model.manifest.name,
        versions: [model.manifest.version],
        platform: PLATFORM,
        inputs: inputsOf(model),
        outputs: outputsOf(model),
      };
    }),
    ModelInfer: unaryHandler(log, (bytes: Buffer, call: ServerUnaryCall<Buffer, Buffer>) =>
      infer(options, bytes, call),
    ),
  };
}

interface ModelKey {
  readonly name: string;
  readonly version: string;
}

async function infer(
  { queries }: InferenceServiceOptions,
  bytes: Buffer,
  call: ServerUnaryCall<Buffer, Buffer>,
): Promise<Buffer> {
  const { model } = queries;
  const request = decodeModelInferRequest(bytes);
  assertServed(model, request.modelName, request.modelVersion);
  const options = readInferOptions(model, request.outputs, request.parameters);
  const pending = queries.submit(readInputTensors(request), options, remainingMs(call));
  // It comes after a normal end too, when cancelling means nothing any more.
  call.on("cancelled", () => pending.cancel());
  const answer = await pending.answer;
  return encodeModelInferResponse(inferResponseOf(model, request, options, answer));
}

/** What the call's own deadline leaves. gRPC counts it in wall time. */
function remainingMs(call: ServerUnaryCall<Buffer, Buffer>): number {
  const deadline = call.getDeadline();
  return (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now();
}

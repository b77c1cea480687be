import type { ServerUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Logger } from "../../lib/log.js";
import type { ArrivingCall } from "../../lib/rpc/arriving-call.js";
import type { GrpcServerCall } from "../../lib/rpc/grpc-server-call.js";
import { type IncomingUnary, serveUnary } from "../../lib/rpc/serve-unary.js";
import { unaryHandler } from "../../lib/rpc/unary-handler.js";
import { type InferOptions, readInferOptions } from "./infer-options.js";
import { decodeModelInferRequest } from "./infer-request-codec.js";
import { inferResponseOf } from "./infer-response.js";
import { encodeModelInferResponse } from "./inference-wire.js";
import { readInputTensors } from "./input-tensor.js";
import { type ModelStatistics, statisticsOf } from "./model-statistics.js";
import type { IncomingCall, QueryDesk } from "./query-desk.js";
import { type PeekedRequest, peekModelInferRequest } from "./request-peek.js";
import { assertServed, metadataOf, type ServedModel, serverMetadataOf } from "./served-model.js";

export interface InferenceServiceOptions {
  readonly model: ServedModel;
  readonly desk: QueryDesk;
  readonly statistics: ModelStatistics;
  /** True while a query would be answered. */
  readonly isReady: () => boolean;
  /** Version of the server itself. */
  readonly serverVersion: string;
  readonly log: Logger;
}

/** `inference.GRPCInferenceService`; it goes with `inferenceServiceDefinition()`. */
export function createInferenceService(
  options: InferenceServiceOptions,
): UntypedServiceImplementation {
  const { model, isReady, log } = options;
  const assertAsked = ({ name, version }: ModelKey): void => assertServed(model, name, version);
  return {
    ServerLive: unaryHandler(log, async () => ({ live: true })),
    ServerReady: unaryHandler(log, async () => ({ ready: isReady() })),
    ModelReady: unaryHandler(log, async (key: ModelKey) => {
      assertAsked(key);
      return { ready: isReady() };
    }),
    ServerMetadata: unaryHandler(log, async () => serverMetadataOf(options.serverVersion)),
    ModelMetadata: unaryHandler(log, async (key: ModelKey) => {
      assertAsked(key);
      return metadataOf(model);
    }),
    ModelStatistics: unaryHandler(log, async (key: ModelKey) => {
      // Triton's clients leave the name empty to ask for every model.
      if (key.name !== "") assertAsked(key);
      return { modelStats: [statisticsOf(model, options.statistics)] };
    }),
    // Only what comes compressed; `serveInfer` has the rest.
    ModelInfer: unaryHandler(log, (bytes: Buffer, call: ServerUnaryCall<Buffer, Buffer>) =>
      infer(options, bytes, incomingUnaryOf(call)),
    ),
  };
}

/** Serves `ModelInfer` without grpc-js between. */
export function serveInfer(
  options: InferenceServiceOptions,
  call: GrpcServerCall,
  messageBytesMax: number,
): void {
  serveUnary(call, {
    messageBytesMax,
    log: options.log,
    admit: (arriving) => admitArriving(options, arriving),
    handle: (bytes, incoming) => infer(options, bytes, incoming),
  });
}

/**
 * Keeps a place for a query by what stands before its tensors; what is wrong with it otherwise shows when all
 * of it is there.
 *
 * @throws ShardpoolError as `QueryDesk.reserve` does.
 */
function admitArriving(
  { model, desk }: Pick<InferenceServiceOptions, "model" | "desk">,
  { headers, firstBytes, timeoutMs }: ArrivingCall,
): (() => void) | undefined {
  const peeked = peekModelInferRequest(firstBytes);
  if (peeked?.modelName !== model.manifest.name) return undefined;
  if (peeked.sampleCount > model.sampleCountMax) return undefined;
  const options = readOptionsOf(model, peeked);
  const call = incomingCall(headers["traceparent"]?.toString());
  return options && desk.reserve(call, peeked.sampleCount, options, timeoutMs);
}

function readOptionsOf(
  model: ServedModel,
  { parameters }: PeekedRequest,
): InferOptions | undefined {
  try {
    return readInferOptions(model, [], parameters);
  } catch {
    return undefined;
  }
}

function incomingCall(traceparent: string | undefined): IncomingCall {
  return { protocol: "grpc", spanName: "inference.GRPCInferenceService/ModelInfer", traceparent };
}

interface ModelKey {
  readonly name: string;
  readonly version: string;
}

async function infer(
  { model, desk }: InferenceServiceOptions,
  bytes: Buffer,
  call: IncomingUnary,
): Promise<Buffer> {
  const { query, answer } = await desk.answer(
    incomingCall(call.traceparent),
    () => {
      const request = decodeModelInferRequest(bytes);
      assertServed(model, request.modelName, request.modelVersion);
      const options = readInferOptions(model, request.outputs, request.parameters);
      const tensors = readInputTensors(request);
      return { request, requestId: request.id, tensors, options, timeoutMs: call.timeoutMs };
    },
    (cancel) => call.onCancel(cancel),
  );
  return encodeModelInferResponse(inferResponseOf(model, query.request, query.options, answer));
}

function incomingUnaryOf(call: ServerUnaryCall<Buffer, Buffer>): IncomingUnary {
  const deadline = call.getDeadline();
  return {
    traceparent: call.metadata.get("traceparent")[0]?.toString(),
    // gRPC counts it in wall time.
    timeoutMs: (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now(),
    onCancel: (callback) => call.on("cancelled", callback),
  };
}

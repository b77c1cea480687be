import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";

/** What a test asks: B samples of F features. */
export interface InferenceQuery {
  readonly modelName: string;
  /** `[B * denseFeatureCount]`. */
  readonly dense: Float32Array;
  readonly batch: JaggedBatch;
  readonly outputs?: readonly ("probability" | "logit" | "pooled")[];
  readonly timeoutMs?: number;
  /** Headers of the call. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface InferenceAnswer {
  readonly outputs: ReadonlyMap<string, Float32Array>;
  readonly parameters: ReadonlyMap<string, unknown>;
}

interface InferClient {
  modelInfer(
    request: unknown,
    metadata: Metadata,
    options: { deadline: Date },
    callback: (error: ServiceError | null, reply?: InferReply) => void,
  ): void;
  close(): void;
}

interface InferReply {
  readonly outputs: readonly { readonly name: string }[];
  readonly rawOutputContents: readonly Buffer[];
  readonly parameters: Readonly<Record<string, { readonly parameterChoice: string }>>;
}

/** A plain client of the Open Inference Protocol, as a user would write one: raw contents, no tricks. */
export class InferenceClient {
  readonly #client: InferClient;

  constructor(address: string) {
    const Service = serviceOf(loadProto("inference.proto"), "inference.GRPCInferenceService");
    this.#client = new Service(address, credentials.createInsecure()) as unknown as InferClient;
  }

  /** Rejects with gRPC's own ServiceError. */
  infer(query: InferenceQuery): Promise<InferenceAnswer> {
    const deadline = new Date(Date.now() + (query.timeoutMs ?? 10_000));
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(query.metadata ?? {})) metadata.set(key, value);
    return new Promise((resolve, reject) => {
      this.#client.modelInfer(encodeQuery(query), metadata, { deadline }, (error, reply) => {
        if (error) reject(error);
        else resolve(decodeAnswer(reply!));
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

function encodeQuery({
  modelName,
  dense,
  batch,
  outputs = ["probability"],
}: InferenceQuery): unknown {
  const { featureCount, sampleCount, lengths, values, weights } = batch;
  const denseWidth = dense.length / sampleCount;
  const inputs = [
    { name: "dense", datatype: "FP32", shape: [sampleCount, denseWidth] },
    { name: "lengths", datatype: "INT32", shape: [featureCount, sampleCount] },
    { name: "values", datatype: "INT32", shape: [values.length] },
  ];
  const rawInputContents = [bytesOf(dense), bytesOf(lengths), bytesOf(values)];
  if (weights !== undefined) {
    inputs.push({ name: "weights", datatype: "FP32", shape: [weights.length] });
    rawInputContents.push(bytesOf(weights));
  }
  return { modelName, inputs, rawInputContents, outputs: outputs.map((name) => ({ name })) };
}

function decodeAnswer(reply: InferReply): InferenceAnswer {
  const outputs = new Map<string, Float32Array>();
  for (const [i, { name }] of reply.outputs.entries()) {
    // A received Buffer starts at any offset; a typed array wants an aligned one.
    const bytes = Uint8Array.from(reply.rawOutputContents[i]!);
    outputs.set(name, new Float32Array(bytes.buffer));
  }
  const parameters = new Map<string, unknown>();
  for (const [name, value] of Object.entries(reply.parameters)) {
    const choice = value as unknown as Record<string, unknown>;
    parameters.set(name, choice[value.parameterChoice]);
  }
  return { outputs, parameters };
}

function bytesOf(array: Float32Array | Int32Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

import { createLog } from "../../lib/log.js";
import { type GrpcServer, startGrpcServer } from "../../lib/rpc/grpc-server.js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";
import { unaryHandler } from "../../lib/rpc/unary-handler.js";
import { machineNowMs } from "../../tools/bench/load/shared-clock.js";

/** One query as the fake server saw it, moments on the clock of `machineNowMs`. */
export interface ServedQuery {
  readonly arrivedAtMs: number;
  readonly answeredAtMs: number;
}

interface InferRequest {
  readonly modelName: string;
  readonly parameters: { readonly timings?: { readonly boolParam: boolean } };
  readonly inputs: readonly { readonly name: string; readonly shape: readonly string[] }[];
  readonly rawInputContents: readonly Buffer[];
}

export interface FakeInferenceServerOptions {
  readonly modelName: string;
  /** Ids are scored by their place in a table of this many rows. */
  readonly rowCount: number;
  /**
   * Resolves when query `index` may be answered; what it throws is the answer: a ShardpoolError by
   * its code, anything else as a bare INTERNAL.
   */
  readonly hold?: (index: number) => Promise<void>;
  /** Parameters of the answer to a query that asks for timings, whole numbers. */
  readonly timings?: Readonly<Record<string, number>>;
  readonly listenAddress?: string;
}

/**
 * A real gRPC server with a model that is known without arithmetic: the click probability of a
 * sample is its first feature's first row id divided by `rowCount`. It answers when told, and keeps
 * its own record of when it did.
 */
export class FakeInferenceServer {
  readonly served: ServedQuery[] = [];
  #arrivedCount = 0;
  #server: GrpcServer | undefined;

  static async start(options: FakeInferenceServerOptions): Promise<FakeInferenceServer> {
    const fake = new FakeInferenceServer();
    const definition = loadProto("inference.proto");
    const log = createLog("fake", "silent");
    fake.#server = await startGrpcServer({
      listenAddress: options.listenAddress ?? "127.0.0.1:0",
      packages: [],
      messageBytesMax: 1 << 26,
      services: [
        {
          definition: serviceOf(definition, "inference.GRPCInferenceService").service,
          implementation: {
            ModelReady: unaryHandler(log, async (request: { name: string }) => ({
              ready: request.name === options.modelName,
            })),
            ModelInfer: unaryHandler(log, (request: InferRequest) => fake.#infer(request, options)),
          },
        },
      ],
    });
    return fake;
  }

  get address(): string {
    return this.#server?.address ?? "";
  }

  get arrivedCount(): number {
    return this.#arrivedCount;
  }

  /** Ends at once, calls in flight included. */
  async stop(): Promise<void> {
    await this.#server?.close(0);
  }

  async #infer(request: InferRequest, options: FakeInferenceServerOptions): Promise<object> {
    const arrivedAtMs = machineNowMs();
    const index = this.#arrivedCount++;
    await options.hold?.(index);
    const probability = scoreFirstIds(request, options.rowCount);
    this.served.push({ arrivedAtMs, answeredAtMs: machineNowMs() });
    const asked = request.parameters.timings?.boolParam === true;
    return {
      modelName: request.modelName,
      modelVersion: "1",
      parameters: parametersOf({ plan_epoch: 7, ...(asked ? options.timings : {}) }),
      outputs: [{ name: "probability", datatype: "FP32", shape: [probability.length, 1] }],
      rawOutputContents: [Buffer.from(probability.buffer)],
    };
  }
}

function scoreFirstIds(request: InferRequest, rowCount: number): Float32Array {
  const position = request.inputs.findIndex((input) => input.name === "lengths");
  const sampleCount = Number(request.inputs[position]!.shape[1]);
  const lengths = request.rawInputContents[position]!;
  const values =
    request.rawInputContents[request.inputs.findIndex((input) => input.name === "values")]!;
  const scores = new Float32Array(sampleCount);
  let next = 0;
  for (let sample = 0; sample < sampleCount; sample++) {
    const length = lengths.readInt32LE(sample * 4);
    scores[sample] = length === 0 ? 0 : values.readInt32LE(next * 4) / rowCount;
    next += length;
  }
  return scores;
}

function parametersOf(values: Readonly<Record<string, number>>): object {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { int64Param: value }]),
  );
}

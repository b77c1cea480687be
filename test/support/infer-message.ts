import { join } from "node:path";
import {
  Client,
  credentials,
  type Metadata,
  Metadata as MetadataClass,
  type ServiceError,
} from "@grpc/grpc-js";
import protobuf from "protobufjs";
import type { GoldenRequests } from "../../lib/model/golden.js";
import { PROTO_FOLDER } from "../../lib/rpc/load-proto.js";

/** `inference.ModelInferRequest` as a plain object, to be changed at will. */
export interface InferMessage {
  modelName: string;
  modelVersion?: string;
  id?: string;
  parameters?: Record<string, Record<string, unknown>>;
  inputs: InferMessageInput[];
  outputs?: { name: string }[];
  rawInputContents?: Uint8Array[];
}

export interface InferMessageInput {
  name: string;
  datatype: string;
  shape: number[];
  contents?: Record<string, number[]>;
}

export interface InferReplyMessage {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, Record<string, unknown>>>;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly unknown[];
    readonly contents?: { readonly fp32Contents: readonly number[] };
  }[];
  readonly rawOutputContents: readonly Uint8Array[];
}

const root = new protobuf.Root().loadSync(join(PROTO_FOLDER, "inference.proto"));
export const RequestType = root.lookupType("inference.ModelInferRequest");
const ResponseType = root.lookupType("inference.ModelInferResponse");

export function encodeMessage(message: InferMessage): Buffer {
  return Buffer.from(RequestType.encode(RequestType.create(message)).finish());
}

/** A model's golden requests as a client would send them. */
export function goldenMessage(
  golden: GoldenRequests,
  form: "raw" | "typed",
  idType: "INT32" | "INT64" = "INT64",
): InferMessage {
  const { sampleCount, denseFeatures, batch } = golden;
  const { lengths, values, featureCount } = batch;
  const denseWidth = denseFeatures.length / sampleCount;
  const tensors = [
    ["dense", "FP32", [sampleCount, denseWidth], denseFeatures],
    ["lengths", "INT32", [featureCount, sampleCount], lengths],
    ["values", idType, [values.length], values],
  ] as const;
  return {
    modelName: "test",
    inputs: tensors.map(([name, datatype, shape, numbers]) => ({
      ...{ name, datatype, shape: [...shape] },
      ...(form === "typed" && { contents: { [CONTENTS[datatype]]: [...numbers] } }),
    })),
    ...(form === "raw" && {
      rawInputContents: tensors.map(([, datatype, , numbers]) => rawBytes(datatype, numbers)),
    }),
  };
}

const CONTENTS = { FP32: "fp32Contents", INT32: "intContents", INT64: "int64Contents" } as const;

export function rawBytes(datatype: keyof typeof CONTENTS, numbers: ArrayLike<number>): Uint8Array {
  const values = Array.from(numbers);
  if (datatype === "INT64") return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  const array = datatype === "FP32" ? Float32Array.from(values) : Int32Array.from(values);
  return new Uint8Array(array.buffer);
}

/** Sends any bytes as ModelInfer. */
export class RawInferClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.max_send_message_length": -1,
    });
  }

  /** Rejects with gRPC's own ServiceError. */
  infer(message: InferMessage | Uint8Array): Promise<InferReplyMessage> {
    const bytes = message instanceof Uint8Array ? Buffer.from(message) : encodeMessage(message);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        "/inference.GRPCInferenceService/ModelInfer",
        (buffer: Buffer) => buffer,
        decodeReply,
        bytes,
        new MetadataClass() as Metadata,
        { deadline: Date.now() + 20_000 },
        (error: ServiceError | null, reply?: InferReplyMessage) => {
          if (error) reject(error);
          else resolve(reply!);
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

function decodeReply(bytes: Buffer): InferReplyMessage {
  return ResponseType.toObject(ResponseType.decode(bytes), {
    longs: Number,
    defaults: true,
    oneofs: false,
  }) as InferReplyMessage;
}

/** An output's numbers, however they came. */
export function outputOf(reply: InferReplyMessage, name: string): Float32Array {
  const index = reply.outputs.findIndex((output) => output.name === name);
  const raw = reply.rawOutputContents[index];
  if (!raw) return Float32Array.from(reply.outputs[index]?.contents?.fp32Contents ?? []);
  return new Float32Array(Uint8Array.from(raw).buffer);
}

import protobuf from "protobufjs/minimal.js";
import { createLog } from "../../lib/log.js";
import { type GrpcServer, startGrpcServer } from "../../lib/rpc/grpc-server.js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";
import { unaryHandler } from "../../lib/rpc/unary-handler.js";

const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
const INPUTS_FIELD = 5;
const SHAPE_FIELD = 3;
const VARINT_WIRE_TYPE = 0;

/**
 * An inference server that answers every query at once with zeros, one a sample, whatever the model.
 * It reads no more of a query than its sample count: what a client measures against it is the client.
 */
export async function startNullServer(grpcAddress: string): Promise<GrpcServer> {
  const { service } = serviceOf(loadProto("inference.proto"), "inference.GRPCInferenceService");
  const infer = service["ModelInfer"]!;
  const log = createLog("null-server", "warn");
  const answers = new Map<number, Buffer>();
  return startGrpcServer({
    listenAddress: grpcAddress,
    packages: [],
    messageBytesMax: MESSAGE_BYTES_MAX,
    services: [
      {
        definition: {
          ModelReady: service["ModelReady"]!,
          ModelInfer: {
            ...infer,
            requestDeserialize: (bytes: Buffer) => bytes,
            responseSerialize: (bytes: Buffer) => bytes,
          },
        },
        implementation: {
          ModelReady: unaryHandler(log, async () => ({ ready: true })),
          ModelInfer: unaryHandler(log, async (request: Buffer) => {
            const sampleCount = readSampleCount(request);
            const known = answers.get(sampleCount);
            if (known !== undefined) return known;
            const answer = infer.responseSerialize(zerosOf(sampleCount));
            answers.set(sampleCount, answer);
            return answer;
          }),
        },
      },
    ],
  });
}

function zerosOf(sampleCount: number): object {
  return {
    modelName: "null",
    modelVersion: "1",
    outputs: [{ name: "probability", datatype: "FP32", shape: [sampleCount, 1] }],
    rawOutputContents: [Buffer.alloc(sampleCount * 4)],
  };
}

/** The first dimension of the first input of a `ModelInferRequest`. */
export function readSampleCount(request: Uint8Array): number {
  const reader = protobuf.Reader.create(request);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === INPUTS_FIELD) return readFirstDimension(reader, reader.uint32() + reader.pos);
    reader.skipType(tag & 7);
  }
  return 0;
}

function readFirstDimension(reader: protobuf.Reader, end: number): number {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === SHAPE_FIELD) {
      // Packed, unless the writer does not pack.
      if ((tag & 7) !== VARINT_WIRE_TYPE) reader.uint32();
      return Number(reader.int64().toString());
    }
    reader.skipType(tag & 7);
  }
  return 0;
}

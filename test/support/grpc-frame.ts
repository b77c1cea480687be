import { GRPC_PREFIX_BYTES, type GrpcFrame, writeGrpcPrefix } from "../../lib/rpc/grpc-frames.js";

/** A message behind its prefix. */
export function frameOf(message: Uint8Array): GrpcFrame {
  const frame = Buffer.allocUnsafe(GRPC_PREFIX_BYTES + message.length);
  writeGrpcPrefix(frame, 0, message.length);
  frame.set(message, GRPC_PREFIX_BYTES);
  return frame;
}

import type { handleUnaryCall, ServerUnaryCall } from "@grpc/grpc-js";
import { ShardpoolError } from "../errors.js";
import type { Logger } from "../log.js";
import { toServiceError } from "./grpc-status.js";

/**
 * Makes a gRPC handler of an async function that returns the answer or throws. It is the one place
 * that calls gRPC's callback, so that no path calls it twice.
 */
export function unaryHandler<Request, Reply>(
  log: Logger,
  handle: (request: Request, call: ServerUnaryCall<Request, Reply>) => Promise<Reply>,
): handleUnaryCall<Request, Reply> {
  return (call, callback) => {
    handle(call.request, call).then(
      (reply) => callback(null, reply),
      (error: unknown) => {
        if (!(error instanceof ShardpoolError)) log.error({ err: error }, "unexpected error");
        callback(toServiceError(error));
      },
    );
  };
}

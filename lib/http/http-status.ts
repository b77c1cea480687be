import { status } from "@grpc/grpc-js";
import type { ErrorCode } from "../errors.js";
import { GRPC_STATUS_BY_CODE } from "../rpc/grpc-status.js";

/** The HTTP status that says the same as gRPC's. */
const HTTP_STATUS_BY_GRPC: Readonly<Record<number, number>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.FAILED_PRECONDITION]: 400,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  // Here it is a request over a limit, not a client that asks too often.
  [status.RESOURCE_EXHAUSTED]: 413,
  // What nginx logs for a client that went away; nobody is there to read it.
  [status.CANCELLED]: 499,
  [status.UNAVAILABLE]: 503,
  [status.DEADLINE_EXCEEDED]: 504,
};

/** The status of an answer that is one of our errors. */
export function httpStatusOf(code: ErrorCode): number {
  return HTTP_STATUS_BY_GRPC[GRPC_STATUS_BY_CODE[code]] ?? 500;
}

import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, parseErrorCode, ShardpoolError } from "../errors.js";

/** The only place where our codes meet gRPC's. A new code fails to compile here. */
export const GRPC_STATUS_BY_CODE: Readonly<Record<ErrorCode, status>> = {
  REQUEST_INVALID: status.INVALID_ARGUMENT,
  ROW_OUT_OF_RANGE: status.INVALID_ARGUMENT,
  MODEL_NOT_FOUND: status.NOT_FOUND,
  LIMIT_EXCEEDED: status.RESOURCE_EXHAUSTED,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  CALL_CANCELLED: status.CANCELLED,
  SHARD_UNAVAILABLE: status.UNAVAILABLE,
  SERVER_OVERLOADED: status.UNAVAILABLE,
  SERVER_DRAINING: status.UNAVAILABLE,
  READER_FAILED: status.UNAVAILABLE,
  SERVER_NOT_READY: status.UNAVAILABLE,
  PARTITION_NOT_HELD: status.FAILED_PRECONDITION,
  TARGET_UNAVAILABLE: status.UNAVAILABLE,
  PROCESS_FAILED: status.INTERNAL,
  ADDRESS_IN_USE: status.FAILED_PRECONDITION,
  FILE_NOT_FOUND: status.NOT_FOUND,
  FILE_UNREADABLE: status.FAILED_PRECONDITION,
  FILE_CORRUPT: status.DATA_LOSS,
  HASH_MISMATCH: status.DATA_LOSS,
  BLOCK_CORRUPT: status.DATA_LOSS,
  FORMAT_UNSUPPORTED: status.FAILED_PRECONDITION,
  OUTPUT_EXISTS: status.ALREADY_EXISTS,
  DISK_FULL: status.RESOURCE_EXHAUSTED,
  WRITE_FAILED: status.INTERNAL,
  CONFIG_INVALID: status.INVALID_ARGUMENT,
  MODEL_INVALID: status.FAILED_PRECONDITION,
  CLICKS_INVALID: status.INVALID_ARGUMENT,
  STATS_INVALID: status.INVALID_ARGUMENT,
  PLAN_INVALID: status.FAILED_PRECONDITION,
  PLAN_MISMATCH: status.FAILED_PRECONDITION,
  PLAN_DOES_NOT_FIT: status.FAILED_PRECONDITION,
  GOLDEN_MISMATCH: status.FAILED_PRECONDITION,
  SLO_MISSED: status.FAILED_PRECONDITION,
  ESTIMATE_WRONG: status.FAILED_PRECONDITION,
  BENCHMARK_INCORRECT: status.INTERNAL,
};

/** Trailer that carries our code beside gRPC's status, which alone cannot tell a stale plan from a bad request. */
export const ERROR_CODE_TRAILER = "shardpool-code";

/** An error as a gRPC handler hands it over. What is not ours is a bug: INTERNAL, without its stack. */
export function toServiceError(error: unknown): Partial<ServiceError> {
  if (!(error instanceof ShardpoolError)) {
    return { code: status.INTERNAL, details: "internal error, see the server's log" };
  }
  const metadata = new Metadata();
  metadata.set(ERROR_CODE_TRAILER, error.code);
  return { code: GRPC_STATUS_BY_CODE[error.code], details: error.message, metadata };
}

/**
 * A failed call as our error. A peer that sends no code of ours gets the nearest one by status.
 *
 * @param peer Names the other end in the message, for instance `shard-2 at 127.0.0.1:4002`.
 */
export function fromServiceError(error: ServiceError, peer: string): ShardpoolError {
  const trailer = error.metadata?.get(ERROR_CODE_TRAILER)[0];
  const sent = parseErrorCode(String(trailer ?? ""));
  const code = sent ?? codeFromStatus(error.code);
  const detail = error.details.replace(/^\[[A-Z_]+\] /, "");
  return new ShardpoolError(code, `${peer}: ${detail}`, { cause: error });
}

/** Our nearest code for a bare gRPC status. */
export function codeFromStatus(grpcStatus: status): ErrorCode {
  switch (grpcStatus) {
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
      return "REQUEST_INVALID";
    case status.NOT_FOUND:
      return "MODEL_NOT_FOUND";
    case status.RESOURCE_EXHAUSTED:
      return "LIMIT_EXCEEDED";
    case status.DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    case status.CANCELLED:
      return "CALL_CANCELLED";
    case status.FAILED_PRECONDITION:
      return "PARTITION_NOT_HELD";
    case status.DATA_LOSS:
      return "BLOCK_CORRUPT";
    default:
      return "TARGET_UNAVAILABLE";
  }
}

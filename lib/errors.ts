/**
 * Every way a request, a command or a start-up can fail. A code keeps its meaning for good;
 * messages are free to improve. `docs/ERRORS.md` explains each code, and a test fails when the two
 * lists drift apart.
 *
 * A wrong argument from our own code is not listed here: that is a bug, so it is a `TypeError`, a
 * `RangeError` or a failed assertion.
 *
 * The value says whether the same call may succeed later, or on another replica.
 */
const TRANSIENT_BY_CODE = {
  // What a caller asked for.
  REQUEST_INVALID: false,
  ROW_OUT_OF_RANGE: false,
  MODEL_NOT_FOUND: false,
  LIMIT_EXCEEDED: false,
  DEADLINE_EXCEEDED: true,
  CALL_CANCELLED: true,

  // What the cluster can do at the moment.
  SHARD_UNAVAILABLE: true,
  SERVER_OVERLOADED: true,
  SERVER_DRAINING: true,
  SERVER_NOT_READY: true,
  PARTITION_NOT_HELD: true,
  READER_FAILED: true,
  TARGET_UNAVAILABLE: true,
  PROCESS_FAILED: false,
  ADDRESS_IN_USE: false,

  // Files and what is in them.
  FILE_NOT_FOUND: false,
  FILE_UNREADABLE: false,
  FILE_CORRUPT: false,
  HASH_MISMATCH: false,
  BLOCK_CORRUPT: false,
  FORMAT_UNSUPPORTED: false,
  OUTPUT_EXISTS: false,
  DISK_FULL: false,
  WRITE_FAILED: false,

  // Models, logs, statistics, plans and configuration.
  CONFIG_INVALID: false,
  MODEL_INVALID: false,
  CLICKS_INVALID: false,
  STATS_INVALID: false,
  PLAN_INVALID: false,
  PLAN_MISMATCH: false,
  PLAN_DOES_NOT_FIT: false,
  GOLDEN_MISMATCH: false,
  SLO_MISSED: false,
  ESTIMATE_WRONG: false,
  BENCHMARK_INCORRECT: false,
} as const;

export type ErrorCode = keyof typeof TRANSIENT_BY_CODE;

export const ERROR_CODES = Object.keys(TRANSIENT_BY_CODE) as readonly ErrorCode[];

/** A caller's problem or the world's problem, known by its code and never by its text. */
export class ShardpoolError extends Error {
  override readonly name = "ShardpoolError";
  readonly code: ErrorCode;
  /** The message without its code, for a border that carries the code apart. */
  readonly detail: string;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    // The code leads, because many tools show only the message.
    super(`[${code}] ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }

  /** True when the same request may succeed later, or on another replica. */
  get transient(): boolean {
    return TRANSIENT_BY_CODE[this.code];
  }
}

/** Narrows a code that came over a wire or out of a file; `undefined` for one we do not know. */
export function parseErrorCode(text: string): ErrorCode | undefined {
  return ERROR_CODES.find((code) => code === text);
}

/**
 * Turns what a file operation threw into a coded error that names the file; any other error is
 * given back as it is.
 */
export function fromFileError(error: unknown, path: string): unknown {
  switch (systemCodeOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return new ShardpoolError("FILE_NOT_FOUND", `no such file: ${path}`, { cause: error });
    case "EACCES":
    case "EPERM":
    case "EISDIR":
      return new ShardpoolError("FILE_UNREADABLE", `cannot open ${path}`, { cause: error });
    case "ENOSPC":
    case "EDQUOT":
      return new ShardpoolError("DISK_FULL", `no space left to write ${path}`, { cause: error });
    case "EIO":
    case "EROFS":
    case "EFBIG":
      return new ShardpoolError("WRITE_FAILED", `cannot write ${path}`, { cause: error });
    default:
      return error;
  }
}

/** The `code` of a Node system error (`ENOENT`, `SQLITE_FULL`), or `undefined`. */
export function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

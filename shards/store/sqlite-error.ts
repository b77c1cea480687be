import { ShardpoolError, systemCodeOf } from "../../lib/errors.js";

/** Turns what SQLite threw into a coded error that names the file; any other error is given back. */
export function fromSqliteError(error: unknown, path: string): unknown {
  const code = systemCodeOf(error) ?? "";
  if (code === "SQLITE_FULL") {
    return new ShardpoolError("DISK_FULL", `no space left to write ${path}`, { cause: error });
  }
  if (code.startsWith("SQLITE_CANTOPEN")) {
    return new ShardpoolError("FILE_UNREADABLE", `cannot open ${path}`, { cause: error });
  }
  if (code.startsWith("SQLITE_IOERR_WRITE") || code.startsWith("SQLITE_READONLY")) {
    return new ShardpoolError("WRITE_FAILED", `cannot write ${path}`, { cause: error });
  }
  if (code.startsWith("SQLITE_")) {
    return new ShardpoolError("FILE_CORRUPT", `${path} is not a sound SQLite file`, {
      cause: error,
    });
  }
  return error;
}

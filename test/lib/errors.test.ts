import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ERROR_CODES, fromFileError, parseErrorCode, ShardpoolError } from "../../lib/errors.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { GRPC_STATUS_BY_CODE } from "../../lib/rpc/grpc-status.js";

describe("error codes", () => {
  it("are all explained in docs/ERRORS.md, and no others are", () => {
    const text = readFileSync(join(PACKAGE_ROOT, "docs/ERRORS.md"), "utf8");
    const documented = [...text.matchAll(/^### ([A-Z_]+)$/gm)].map((match) => match[1]);

    assert.deepEqual(documented.toSorted(), [...ERROR_CODES].toSorted());
  });

  it("say in docs/ERRORS.md whether they are transient", () => {
    const text = readFileSync(join(PACKAGE_ROOT, "docs/ERRORS.md"), "utf8");
    for (const code of ERROR_CODES) {
      const section = text.split(`### ${code}\n`)[1]?.split("\n#")[0]?.trim() ?? "";
      const documented = section.startsWith("Transient");

      assert.equal(documented, new ShardpoolError(code, "x").transient, code);
    }
  });

  it("have a gRPC status that is not OK", () => {
    for (const code of ERROR_CODES) assert.notEqual(GRPC_STATUS_BY_CODE[code], 0, code);
  });

  it("come back from text, and unknown text does not", () => {
    assert.equal(parseErrorCode("PLAN_MISMATCH"), "PLAN_MISMATCH");
    assert.equal(parseErrorCode("PLAN"), undefined);
  });
});

describe("ShardpoolError", () => {
  it("leads with its code and keeps its cause", () => {
    const cause = new Error("inner");
    const error = new ShardpoolError("DISK_FULL", "no space left to write a.npy", { cause });

    assert.equal(error.message, "[DISK_FULL] no space left to write a.npy");
    assert.equal(error.detail, "no space left to write a.npy");
    assert.equal(error.cause, cause);
  });
});

describe("fromFileError()", () => {
  it("names the file and tells missing, unreadable and full apart", () => {
    for (const [systemCode, code] of [
      ["ENOENT", "FILE_NOT_FOUND"],
      ["EACCES", "FILE_UNREADABLE"],
      ["ENOSPC", "DISK_FULL"],
      ["EIO", "WRITE_FAILED"],
    ] as const) {
      const error = fromFileError(Object.assign(new Error("x"), { code: systemCode }), "/a/b");

      assert.ok(error instanceof ShardpoolError);
      assert.equal(error.code, code);
      assert.match(error.detail, /\/a\/b/);
    }
  });

  it("gives back what is not a file error", () => {
    const error = new TypeError("a bug");

    assert.equal(fromFileError(error, "/a"), error);
  });
});

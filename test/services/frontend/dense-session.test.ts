import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createDenseSession } from "../../../services/frontend/dense-session.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("createDenseSession()", () => {
  const folder = tempFolder();

  it("names a file that is missing", async () => {
    await assert.rejects(createDenseSession(join(folder, "none.onnx"), { threadCount: 1 }), {
      code: "FILE_NOT_FOUND",
      message: /none\.onnx/,
    });
  });

  it("refuses a file that is no graph", async () => {
    const path = join(folder, "text.onnx");
    writeFileSync(path, "no graph at all");

    await assert.rejects(createDenseSession(path, { threadCount: 1 }), {
      code: "MODEL_INVALID",
      message: /text\.onnx/,
    });
  });
});

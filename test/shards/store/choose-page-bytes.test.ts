import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { buildShardStore } from "../../../shards/index.js";
import { makePlan, makeShardModel } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";

const shardId = "shard-0";

describe("choosePageBytes()", () => {
  // Row bytes 256, 4 x 1160, 4 x 72: blocks of 8192, 4640 and 4608 bytes and the CRC.
  const cases = [
    { embeddingDim: 64, pageBytes: 8192, fileByRowBytesMax: 1.14 },
    { embeddingDim: 1160, pageBytes: 4096, fileByRowBytesMax: 1.03 },
    { embeddingDim: 72, pageBytes: 4096, fileByRowBytesMax: 1.03 },
    { embeddingDim: 112, pageBytes: 8192, fileByRowBytesMax: 1.16 },
  ];
  for (const { embeddingDim, pageBytes, fileByRowBytesMax } of cases) {
    it(`gives rows of ${embeddingDim * 4} bytes pages of ${pageBytes}`, async () => {
      const dir = tempFolder();
      const rowCount = Math.round(1_000_000 / embeddingDim);
      const model = await makeShardModel(dir, [{ rowCount, embeddingDim }]);
      const plan = makePlan(model, [{ table: "t0" }]);
      const out = join(dir, "store");
      await buildShardStore({ modelDir: model.dir, plan, shardId, out });
      const db = new Database(out, { readonly: true });
      try {
        assert.equal(db.pragma("page_size", { simple: true }), pageBytes);
      } finally {
        db.close();
      }
      const growth = statSync(out).size / (rowCount * embeddingDim * 4);
      assert.ok(growth < fileByRowBytesMax, `${growth} x the row bytes`);
    });
  }
});

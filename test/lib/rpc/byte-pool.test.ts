import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BytePool } from "../../../lib/rpc/byte-pool.js";

describe("BytePool", () => {
  it("lends memory that was given back, of the next power of two", () => {
    const pool = new BytePool();
    const first = pool.take(100_000);
    assert.equal(first.length, 131_072);
    pool.give(first.subarray(5, 10));
    assert.equal(pool.take(70_000).buffer, first.buffer);
    assert.notEqual(pool.take(70_000).buffer, first.buffer);
  });

  it("keeps neither what is small nor what is huge, and no more than its limit", () => {
    const pool = new BytePool();
    for (const bytes of [8000, 9 * 1024 * 1024]) {
      const buffer = pool.take(bytes);
      assert.equal(buffer.length, bytes);
      pool.give(buffer);
      assert.notEqual(pool.take(bytes).buffer, buffer.buffer);
    }
    assert.equal(pool.take(10).byteOffset % 8, 0);
    const many = Array.from({ length: 6 }, () => pool.take(8 * 1024 * 1024));
    for (const buffer of many) pool.give(buffer);
    const again = Array.from({ length: 6 }, () => pool.take(8 * 1024 * 1024).buffer);
    assert.equal(again.filter((buffer) => many.some((one) => one.buffer === buffer)).length, 4);
  });

  it("leaves memory alone that cannot be its own", () => {
    const pool = new BytePool();
    pool.give(new Uint8Array(100_000));
    assert.equal(pool.take(100_000).length, 131_072);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RowBuffers } from "../../../shards/engine/row-buffers.js";

const KIB = 1024;

describe("RowBuffers", () => {
  it("uses a buffer again that is as long as asked for or a quarter longer", () => {
    const buffers = new RowBuffers(1000 * KIB);
    const buffer = buffers.take(100 * KIB);
    assert.equal(buffer.length, 100 * KIB);
    buffers.giveBack(buffer);

    assert.notEqual(buffers.take(101 * KIB), buffer);
    assert.notEqual(buffers.take(79 * KIB), buffer);
    assert.equal(buffers.take(80 * KIB), buffer);
    assert.notEqual(buffers.take(80 * KIB), buffer);
  });

  it("keeps no more than its bound, and the last ones given back", () => {
    const buffers = new RowBuffers(250 * KIB);
    const given = [1, 2, 3].map(() => buffers.take(100 * KIB));
    const tooLarge = buffers.take(300 * KIB);
    for (const buffer of [...given, tooLarge]) buffers.giveBack(buffer);

    const taken = [1, 2, 3].map(() => buffers.take(100 * KIB));
    assert.deepEqual(
      taken.map((buffer) => given.indexOf(buffer)),
      [2, 1, -1],
    );
    assert.notEqual(buffers.take(300 * KIB), tooLarge);
  });

  it("keeps 64 of them at most", () => {
    const buffers = new RowBuffers(1000 * KIB);
    const given = Array.from({ length: 65 }, () => buffers.take(KIB));
    for (const buffer of given) buffers.giveBack(buffer);

    const taken = Array.from({ length: 65 }, () => buffers.take(KIB));
    assert.equal(taken.filter((buffer) => given.includes(buffer)).length, 64);
    assert.ok(!taken.includes(given[0]!));
  });
});

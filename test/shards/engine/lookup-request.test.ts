import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  buildShardStore,
  type LookupRequest,
  type LookupSegment,
  openLookupEngine,
} from "../../../shards/index.js";
import { makePlan, makeShardModel } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";

const ROW_COUNT = 500;
const LIMITS = { sampleCountMax: 8, valueCountMax: 60, replyBytesMax: 4096 };

/** What can be wrong with a lookup, and the code that says so. */
const FAULTS: Readonly<Record<string, readonly [string, (good: LookupRequest) => LookupRequest]>> =
  {
    "no samples": ["REQUEST_INVALID", (good) => ({ ...good, sampleCount: 0 })],
    "part of a sample": ["REQUEST_INVALID", (good) => ({ ...good, sampleCount: 1.5 })],
    "no segments": ["REQUEST_INVALID", (good) => ({ ...good, segments: [] })],
    "too few lengths": [
      "REQUEST_INVALID",
      (good) => inLastSegment(good, ({ lengths }) => ({ lengths: lengths.subarray(1) })),
    ],
    "lengths that do not sum": [
      "REQUEST_INVALID",
      (good) => inLastSegment(good, ({ lengths }) => ({ lengths: lengths.map((n) => n + 1) })),
    ],
    "lengths whose sum wraps around": [
      "REQUEST_INVALID",
      (good) => inLastSegment(good, ({ lengths }) => ({ lengths: lengths.map(() => 2 ** 32 - 1) })),
    ],
    "a weight that is not a number": [
      "REQUEST_INVALID",
      (good) =>
        inLastSegment(good, ({ values }) => ({ weights: withLast(values.length, Number.NaN) })),
    ],
    "too few weights": [
      "REQUEST_INVALID",
      (good) => inLastSegment(good, ({ values }) => ({ weights: withLast(values.length - 1, 1) })),
    ],
    "a row past the last": ["ROW_OUT_OF_RANGE", (good) => withLastRow(good, ROW_COUNT)],
    "a row below zero": ["ROW_OUT_OF_RANGE", (good) => withLastRow(good, -1)],
    "an unknown partition": [
      "PARTITION_NOT_HELD",
      (good) => inLastSegment(good, () => ({ partition: 1 })),
    ],
    "too many samples": ["LIMIT_EXCEEDED", () => lookupOf(LIMITS.sampleCountMax + 1, 1, 1)],
    "too many values": ["LIMIT_EXCEEDED", () => lookupOf(4, 8, 2)],
    "too large an answer": ["LIMIT_EXCEEDED", () => lookupOf(8, 1, 5)],
  };

describe("validateLookup()", () => {
  it("refuses what is wrong before a row is read, and the engine is as it was", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [{ rowCount: ROW_COUNT, embeddingDim: 32 }]);
    const storePath = join(dir, "store");
    const plan = makePlan(model, [{ table: "t0" }]);
    await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", out: storePath });
    const engine = openLookupEngine({ storePath, limits: LIMITS, readerCount: 0 });
    try {
      const probe = lookupOf(2, 3, 2);
      const { pooled } = await engine.lookup(probe);

      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...Object.keys(FAULTS)),
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 1, max: 2 }),
          async (fault, sampleCount, bagLength, segmentCount) => {
            const [code, spoil] = FAULTS[fault]!;
            const before = engine.counters(0);

            const spoiled = spoil(lookupOf(sampleCount, bagLength, segmentCount));
            await assert.rejects(engine.lookup(spoiled), { code });

            assert.deepEqual(engine.counters(0), before);
            assert.deepEqual((await engine.lookup(probe)).pooled, pooled);
          },
        ),
      );
    } finally {
      engine.close();
    }
  });
});

function lookupOf(sampleCount: number, bagLength: number, segmentCount: number): LookupRequest {
  const segments = Array.from({ length: segmentCount }, (_, s) => ({
    partition: 0,
    lengths: new Uint32Array(sampleCount).fill(bagLength),
    values: Uint32Array.from(
      { length: sampleCount * bagLength },
      (_, i) => (i * 37 + s * 101) % ROW_COUNT,
    ),
  }));
  return { sampleCount, segments };
}

function inLastSegment(
  request: LookupRequest,
  change: (segment: LookupSegment) => Partial<LookupSegment>,
): LookupRequest {
  const last = request.segments.at(-1)!;
  return { ...request, segments: [...request.segments.slice(0, -1), { ...last, ...change(last) }] };
}

function withLastRow(request: LookupRequest, row: number): LookupRequest {
  return inLastSegment(request, ({ values }) => {
    const changed = values.slice();
    changed[changed.length - 1] = row;
    return { values: changed };
  });
}

function withLast(length: number, last: number): Float32Array {
  const weights = new Float32Array(length).fill(0.5);
  weights[length - 1] = last;
  return weights;
}

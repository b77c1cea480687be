import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  buildShardStore,
  type LookupEngine,
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

  it("names the value at fault, wherever it is among many, and goes on as before", async () => {
    const engine = await openEngine();
    try {
      const good = lookupOf(300, 64, 2);
      const { pooled } = await engine.lookup(good);
      const count = 300 * 64;
      for (const place of [0, 1, 31, 8191, 8192, 17_000, count - 1]) {
        for (const row of [ROW_COUNT, 2 ** 31, 2 ** 32 - 1]) {
          const spoiled = inLastSegment(good, ({ values }) => ({
            values: values.with(place, row),
          }));
          await assert.rejects(engine.lookup(spoiled), {
            code: "ROW_OUT_OF_RANGE",
            detail: `segment 1: row ${row} at ${place} is not below the partition's ${ROW_COUNT} rows`,
          });
        }
        const weights = new Float32Array(count).fill(0.5).with(place, Number.NaN);
        await assert.rejects(engine.lookup(inLastSegment(good, () => ({ weights }))), {
          code: "REQUEST_INVALID",
          detail: `segment 1: weight ${place} is not a number`,
        });
      }
      assert.deepEqual((await engine.lookup(good)).pooled, pooled);
    } finally {
      engine.close();
    }
  });

  it("takes lookups of no rows: their sums are zeros, and other segments' are as ever", async () => {
    const engine = await openEngine();
    try {
      const some = lookupOf(3, 4, 1);
      const none = lookupOf(3, 0, 1);
      const weighted = inLastSegment(none, () => ({ weights: new Float32Array(0) }));
      const { pooled } = await engine.lookup(some);
      const zeros = new Float32Array(pooled.length);
      for (const empty of [none, weighted]) {
        const reply = await engine.lookup(empty);
        assert.deepEqual(reply.pooled, zeros);
        assert.deepEqual([reply.rowsHit, reply.rowsMissed, reply.blocksRead], [0, 0, 0]);
        const segments = [...empty.segments, ...some.segments, ...empty.segments];
        const mixed = (await engine.lookup({ sampleCount: 3, segments })).pooled;
        assert.deepEqual(mixed, Float32Array.of(...zeros, ...pooled, ...zeros));
      }
    } finally {
      engine.close();
    }
  });
});

/** With the limits that engines have by themselves, and a cache of one block. */
async function openEngine(): Promise<LookupEngine> {
  const dir = tempFolder();
  const model = await makeShardModel(dir, [{ rowCount: ROW_COUNT, embeddingDim: 32 }]);
  const storePath = join(dir, "store");
  const plan = makePlan(model, [{ table: "t0" }]);
  await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", out: storePath });
  return openLookupEngine({ storePath, cacheBytes: 8192, readerCount: 0 });
}

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

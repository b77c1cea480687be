import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  buildJaggedBatch,
  type ClickBatch,
  type ClickQuery,
  readClickQueries,
  sliceClickBatch,
} from "../../../tools/clicks/click-log.js";

/** Queries 5, 5, 5, 6, 6; feature 0 has bags of 2, 0, 1, 3, 0 ids, feature 1 one id a sample. */
const batch: ClickBatch = {
  sampleCount: 5,
  queries: Int32Array.of(5, 5, 5, 6, 6),
  timestampsMs: Float64Array.of(50, 50, 50, 60, 60),
  labels: Uint8Array.of(1, 0, 1, 0, 1),
  dense: Float32Array.of(0, 1, 2, 3, 4),
  features: [
    {
      offsets: Int32Array.of(0, 2, 2, 3, 6, 6),
      rowIds: Int32Array.of(10, 11, 12, 13, 14, 15),
      weights: Float32Array.of(0, 1, 2, 3, 4, 5),
    },
    {
      offsets: Int32Array.of(0, 1, 2, 3, 4, 5),
      rowIds: Int32Array.of(20, 21, 22, 23, 24),
      weights: Float32Array.of(6, 7, 8, 9, 10),
    },
  ],
};

async function queriesOf(...batches: ClickBatch[]): Promise<ClickQuery[]> {
  async function* source(): AsyncGenerator<ClickBatch> {
    yield* batches;
  }
  const queries: ClickQuery[] = [];
  for await (const query of readClickQueries(source())) queries.push(query);
  return queries;
}

describe("buildJaggedBatch()", () => {
  it("lays bags feature-major", () => {
    const bags = buildJaggedBatch(batch, 1, 4);

    assert.deepEqual([...bags.lengths], [0, 1, 3, 1, 1, 1]);
    assert.deepEqual([...bags.values], [12, 13, 14, 15, 21, 22, 23]);
    assert.deepEqual([...(bags.weights ?? [])], [2, 3, 4, 5, 7, 8, 9]);
  });

  it("leaves weights out where the log has none", () => {
    const plain = { ...batch, features: batch.features.map(({ weights: _, ...rest }) => rest) };

    assert.equal(buildJaggedBatch(plain, 0, 5).weights, undefined);
  });
});

describe("readClickQueries()", () => {
  it("groups neighbours with one number", async () => {
    const queries = await queriesOf(batch);

    assert.deepEqual(
      queries.map(({ query, sampleCount, timestampMs }) => [query, sampleCount, timestampMs]),
      [
        [5, 3, 50],
        [6, 2, 60],
      ],
    );
    assert.deepEqual([...queries[1]!.bags.values], [13, 14, 15, 23, 24]);
  });

  it("joins a query that lies in several record batches", async () => {
    const [whole] = await queriesOf(batch);
    const parts = [0, 1, 2, 4].map((start, i, starts) =>
      sliceClickBatch(batch, start, starts[i + 1] ?? 5),
    );

    const queries = await queriesOf(...parts);

    assert.deepEqual(queries[0], whole);
    assert.equal(queries.length, 2);
  });

  it("gives nothing for an empty log", async () => {
    assert.deepEqual(await queriesOf(), []);
  });
});

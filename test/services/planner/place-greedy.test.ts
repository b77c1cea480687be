import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PlacementUnit, placeGreedy } from "../../../services/planner/place-greedy.js";
import { equalShards } from "../../support/plan-cases.js";

function unit(key: string, load: number, bytes = 1): PlacementUnit {
  return { key, drafts: [], load, bytes, rowCount: 1, leastCacheBytes: bytes };
}

function keysByShard(units: readonly PlacementUnit[], shardCount = 2): Record<string, string[]> {
  const { shards } = placeGreedy(units, equalShards(shardCount));
  return Object.fromEntries(
    shards.map((shard) => [shard.spec.id, shard.units.map(({ key }) => key)]),
  );
}

describe("placeGreedy()", () => {
  it("balances load, not bytes", () => {
    const units = [unit("hot-small", 900, 1), unit("cold-large", 100, 3), unit("warm-small", 500)];

    assert.deepEqual(keysByShard(units), {
      "shard-0": ["hot-small"],
      "shard-1": ["warm-small", "cold-large"],
    });
  });

  it("gives the same placement in any input order", () => {
    const units = [unit("a", 1), unit("b", 1), unit("c", 1)];

    assert.deepEqual(keysByShard(units.toReversed()), keysByShard(units));
  });

  it("gives a faster shard more", () => {
    const [slow, fast] = equalShards(2);
    const specs = [slow!, { ...fast!, weight: 3 }];

    const { shards } = placeGreedy([unit("a", 1), unit("b", 1), unit("c", 1), unit("d", 1)], specs);

    assert.deepEqual(
      shards.map((shard) => shard.load),
      [1, 3],
    );
  });

  it("goes by room where the least loaded has none", () => {
    const specs = [...equalShards(1, { diskBytesMax: 5 }), ...equalShards(2).slice(1)];

    const { shards } = placeGreedy([unit("busy", 9, 1), unit("large", 1, 9)], specs);

    assert.deepEqual(
      shards.map((shard) => shard.bytes),
      [0 + 1, 9],
    );
  });

  it("gives back what finds no room", () => {
    const specs = equalShards(2, { diskBytesMax: 5 });

    const { unplaced } = placeGreedy([unit("fits", 1, 5), unit("huge", 1, 6)], specs);

    assert.deepEqual(
      unplaced.map(({ key }) => key),
      ["huge"],
    );
  });
});

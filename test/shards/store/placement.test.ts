import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rowBytesOf } from "../../../lib/model/dtype.js";
import type { Model } from "../../../lib/model/model-directory.js";
import { Random } from "../../../lib/random.js";
import type { AccessStatsFile } from "../../../lib/stats/access-stats-file.js";
import { loadPlacement, reservePlacementAreas } from "../../../shards/engine/placement.js";
import { Slab, SlabLayout } from "../../../shards/engine/slab.js";
import { buildShardStore } from "../../../shards/index.js";
import { LINES_PER_RUN } from "../../../shards/store/row-class-runs.js";
import { LINE_BYTES, RowClasses } from "../../../shards/store/row-classes.js";
import { openShardStore, type ShardStore } from "../../../shards/store/shard-store.js";
import type { StoredPartition } from "../../../shards/store/store-catalog.js";
import { makePlan, makeShardModel, type PartitionChoice } from "../../support/shard-model.js";
import { makeShardStats } from "../../support/shard-stats.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("placement", () => {
  it("gives every row the position its class and id say, whatever the classes", () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 31),
        fc.integer({ min: 1, max: 1500 }),
        fc.integer({ min: 1, max: 8 }),
        (seed, rowCount, classCount) => {
          const random = new Random(seed);
          const classes = new RowClasses(rowCount, classCount - 1);
          for (let i = 0; i < rowCount; i++) {
            classes.put(random.nextBelow(rowCount), random.nextBelow(classCount));
          }
          assert.deepEqual(positionsOf(classes), plainPositionsOf(classes));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("counts over more than 65,536 rows", () => {
    const random = new Random(5);
    for (const rowCount of [65_535, 65_536, 65_537, 200_001]) {
      const classes = new RowClasses(rowCount, 7);
      for (let row = 0; row < rowCount; row++) {
        // A class that one stretch of rows is all in brings the counts to their ends.
        classes.put(row, row < 131_000 ? 3 : random.nextBelow(8));
      }
      assert.deepEqual(positionsOf(classes), plainPositionsOf(classes));
    }
  });

  it("takes half a byte a row", () => {
    for (const rowCount of [65_536, 1_000_000, 4_000_000]) {
      const layout = new SlabLayout();
      const before = layout.bytes;
      reservePlacementAreas(layout, fakePartition(new RowClasses(rowCount, 1)));
      // And 32 bytes for every 65,536 rows, and the ends of three areas.
      const bytes = layout.bytes - before;
      assert.ok(bytes <= rowCount * 0.501 + 3 * 64, `${bytes} bytes for ${rowCount} rows`);
    }
  });

  it("lays every row of a store where its position says, hottest class first", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [{ rowCount: 5000, embeddingDim: 32 }]);
    const random = new Random(2, "reads");
    const reads = Uint32Array.from({ length: 5000 }, () => Math.floor(1 / random.nextFloat()) - 1);
    const stats = await makeShardStats(dir, model, (_, row) => reads[row]!);
    const store = await openBuilt(dir, model, [{ table: "t0", rowStart: 700 }], stats);
    try {
      const [partition] = store.catalog.partitions;
      assert.equal(
        partition!.classRowCounts!.reduce((sum, count) => sum + count, 0),
        4300,
      );
      const classes = storedClasses(store, partition!);
      const positions = positionsOf(classes);
      assert.equal(new Set(positions).size, 4300);
      assertRowsLieAt(store, model, partition!, positions);
      assertHotFirst(classes, reads.subarray(700));
    } finally {
      store.close();
    }
  });

  it("puts rows that the statistics do not list behind those they do", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [{ rowCount: 4000, embeddingDim: 64 }]);
    // Every third row was read; only the heaviest 100 are listed.
    const reads = (row: number): number => (row % 3 === 0 ? 5000 - row : 0);
    const stats = await makeShardStats(dir, model, (_, row) => reads(row), 100);
    const store = await openBuilt(dir, model, [{ table: "t0" }], stats);
    try {
      const [partition] = store.catalog.partitions;
      const positions = positionsOf(storedClasses(store, partition!));
      const listed = Array.from({ length: 100 }, (_, i) => 3 * i);
      assert.deepEqual(
        listed.map((row) => positions[row]! < 100),
        new Array(100).fill(true),
      );
      assertRowsLieAt(store, model, partition!, positions);
    } finally {
      store.close();
    }
  });

  it("keeps row-id order where statistics do not tell rows apart", async () => {
    const dir = tempFolder();
    const tables = [{ rowCount: 4000, embeddingDim: 64 }];
    const model = await makeShardModel(dir, tables);
    const stats = await makeShardStats(dir, model, () => 7);
    const store = await openBuilt(dir, model, [{ table: "t0" }], stats);
    assert.equal(store.catalog.partitions[0]!.classRowCounts, null);
    store.close();
  });

  it("refuses classes that are not as many as the catalog says", () => {
    const classes = new RowClasses(300, 1);
    classes.put(4, 0);
    const other = { ...fakePartition(classes), classRowCounts: new RowClasses(300, 1).rowCounts };
    assert.throws(() => positionsOf(classes, other), { code: "FILE_CORRUPT", message: /t0/ });
  });
});

/** A partition as only its rows' classes matter. */
function fakePartition(classes: RowClasses): StoredPartition {
  const { rowCount, rowCounts } = classes;
  return {
    ...{ number: 0, id: "0", table: "t0", rowStart: 0, rowEnd: rowCount },
    ...{ columnStart: 0, columnEnd: 1, dtype: "float32", rowBytes: 4, rowsPerBlock: 2048 },
    ...{ firstBlock: 0, blockCount: Math.ceil(rowCount / 2048), classRowCounts: rowCounts },
  };
}

/** Positions of all rows as the kernels give them. */
function positionsOf(classes: RowClasses, partition = fakePartition(classes)): number[] {
  const layout = new SlabLayout();
  const scratch = layout.reserveScratch({
    ...{ valueCount: classes.rowCount, outBytes: 4, rowBytes: 4 },
  });
  const areas = reservePlacementAreas(layout, partition)!;
  const slab = new Slab(layout, scratch);
  loadPlacement(slab, areas, partition, {
    path: "test",
    readRowClasses: (_, run) => {
      const runBytes = LINES_PER_RUN * LINE_BYTES;
      return Buffer.from(classes.planes.subarray(run * runBytes, (run + 1) * runBytes));
    },
  });
  const ids = scratch.positionsPtr >> 2;
  for (let row = 0; row < classes.rowCount; row++) slab.uint32[ids + row] = row;
  slab.kernels.placeRows(
    ...[scratch.positionsPtr, classes.rowCount, areas.linesPtr, areas.basesPtr],
  );
  return [...slab.uint32.subarray(ids, ids + classes.rowCount)];
}

/** The same by sorting. */
function plainPositionsOf(classes: RowClasses): number[] {
  const rows = Array.from({ length: classes.rowCount }, (_, row) => row);
  rows.sort((a, b) => classes.classOf(a) - classes.classOf(b) || a - b);
  const positions = new Array<number>(classes.rowCount);
  for (const [position, row] of rows.entries()) positions[row] = position;
  return positions;
}

async function openBuilt(
  dir: string,
  model: Model,
  choices: readonly PartitionChoice[],
  stats: AccessStatsFile,
): Promise<ShardStore> {
  const { rowCount } = model.manifest.tables[0]!;
  const rest = choices[0]!.rowStart ?? 0;
  // A plan holds every row; what is not looked at is on another shard.
  const others = rest === 0 ? [] : [{ table: "t0", rowEnd: rest, shards: ["shard-1"] }];
  assert.ok(rest < rowCount);
  const plan = makePlan(model, [...choices, ...others], ["shard-0", "shard-1"], stats.hash);
  const out = join(dir, "store");
  await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", stats, out });
  return openShardStore(out);
}

function storedClasses(store: ShardStore, partition: StoredPartition): RowClasses {
  const classes = new RowClasses(partition.rowEnd - partition.rowStart, 0);
  classes.planes.set(store.readRowClasses(partition, 0));
  for (const [k, count] of partition.classRowCounts!.entries()) {
    (classes.rowCounts as number[])[k] = count;
  }
  return classes;
}

function assertRowsLieAt(
  store: ShardStore,
  model: Model,
  partition: StoredPartition,
  positions: readonly number[],
): void {
  const reader = model.openTable(partition.table);
  const row = new Uint8Array(rowBytesOf(reader.table.dtype, reader.table.embeddingDim));
  for (const [id, position] of positions.entries()) {
    reader.readRowBytes(partition.rowStart + id, 1, row);
    const block = Math.floor(position / partition.rowsPerBlock);
    const at = (position % partition.rowsPerBlock) * partition.rowBytes;
    const stored = store.readBlock(partition, block).subarray(at, at + row.length);
    assert.ok(stored.equals(row), `row ${id} at position ${position}`);
  }
  reader.close();
}

/** No row of a class was read more often than one of the class before. */
function assertHotFirst(classes: RowClasses, reads: Uint32Array): void {
  const least = new Array<number>(8).fill(Number.POSITIVE_INFINITY);
  const most = new Array<number>(8).fill(0);
  for (let row = 0; row < classes.rowCount; row++) {
    const k = classes.classOf(row);
    least[k] = Math.min(least[k]!, reads[row]!);
    most[k] = Math.max(most[k]!, reads[row]!);
  }
  for (let k = 1; k < 8; k++) assert.ok(most[k]! <= least[k - 1]!, `class ${k}`);
  assert.ok(classes.rowCounts.filter((count) => count > 0).length > 3);
}

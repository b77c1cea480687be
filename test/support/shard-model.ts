import { join } from "node:path";
import { type Dtype, rowBytesOf } from "../../lib/model/dtype.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { writeModel } from "../../lib/model/model-writer.js";
import { decodeRows, encodeRows } from "../../lib/model/row-codec.js";
import {
  type PlanPartition,
  partitionIdOf,
  type ShardingPlan,
  sealPlan,
} from "../../lib/plan/plan.js";
import { Random } from "../../lib/random.js";

export interface ShardTestTable {
  readonly rowCount: number;
  readonly embeddingDim: number;
  readonly dtype?: Dtype;
}

/** A model directory with seeded tables `t0`, `t1`, …; its dense part is a placeholder. */
export async function makeShardModel(
  dir: string,
  tables: readonly ShardTestTable[],
  seed = 1,
): Promise<Model> {
  const modelDir = join(dir, "model");
  const description = {
    name: "test",
    version: "1",
    denseFeatureCount: 1,
    tables: tables.map(({ rowCount, embeddingDim, dtype = "float32" }, i) => ({
      ...{ name: `t${i}`, rowCount, embeddingDim, dtype },
    })),
    features: tables.map((_, i) => ({
      ...({ name: `f${i}`, table: `t${i}`, pooling: "sum", outOfRange: "error" } as const),
    })),
    interaction: "cat",
    tolerance: 1e-6,
  } as const;
  await writeModel(modelDir, description, async (writer) => {
    for (const table of description.tables) {
      const rows = await writer.createTable(table.name);
      const bytes = new Uint8Array(table.rowCount * rowBytesOf(table.dtype, table.embeddingDim));
      encodeRows(table.dtype, table.embeddingDim, seededRows(table, seed), bytes);
      await rows.append(bytes);
      await rows.finish();
    }
    await writer.writeDense(new Uint8Array(1));
    await writer.writeGolden({
      sampleCount: 1,
      denseFeatures: new Float32Array(1),
      batch: {
        featureCount: tables.length,
        sampleCount: 1,
        lengths: new Int32Array(tables.length),
        values: new Int32Array(0),
      },
      pooled: new Float32Array(tables.reduce((sum, { embeddingDim }) => sum + embeddingDim, 0)),
      probability: new Float32Array(1),
    });
  });
  return openModel(modelDir);
}

function seededRows(
  table: { readonly name: string; readonly rowCount: number; readonly embeddingDim: number },
  seed: number,
): Float32Array {
  const random = new Random(seed, table.name);
  return Float32Array.from({ length: table.rowCount * table.embeddingDim }, () =>
    random.nextNormal(),
  );
}

/** Every row of a table as float32, `[rowCount][embeddingDim]`. */
export function decodedTable(model: Model, name: string): Float32Array {
  const reader = model.openTable(name);
  try {
    const { rowCount, embeddingDim, dtype } = reader.table;
    const bytes = new Uint8Array(rowCount * reader.rowBytes);
    reader.readRowBytes(0, rowCount, bytes);
    const out = new Float32Array(rowCount * embeddingDim);
    decodeRows(dtype, embeddingDim, bytes, out);
    return out;
  } finally {
    reader.close();
  }
}

/** A partition of a plan: whole tables on shard-0 and everything in memory, unless told. */
export type PartitionChoice = Partial<PlanPartition> & { readonly table: string };

/** A plan over a model from hand-made choices. */
export function makePlan(
  model: Model,
  choices: readonly PartitionChoice[],
  shardIds: readonly string[] = ["shard-0"],
  statsHash: string | null = null,
): ShardingPlan {
  const partitions = choices.map((choice): PlanPartition => {
    const table = model.manifest.tables.find(({ name }) => name === choice.table)!;
    const { rowStart = 0, rowEnd = table.rowCount } = choice;
    const { columnStart = 0, columnEnd = table.embeddingDim } = choice;
    const range = { table: table.name, rowStart, rowEnd, columnStart, columnEnd };
    return {
      id: partitionIdOf({ modelHash: model.hash, ...range, statsHash }),
      ...range,
      shards: choice.shards ?? [shardIds[0]!],
      cacheBytes: choice.cacheBytes ?? 2 ** 40,
      pinnedRows: choice.pinnedRows ?? 0,
    };
  });
  return sealPlan({
    formatVersion: 1,
    epoch: 1,
    model: { name: model.manifest.name, version: model.manifest.version, hash: model.hash },
    statsHash,
    strategy: "test",
    shards: shardIds.map((id) => ({
      ...{ id, memoryBytesMax: 2 ** 40, diskBytesMax: 2 ** 40, weight: 1 },
    })),
    partitions,
    estimate: [],
  });
}

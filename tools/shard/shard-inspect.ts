import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";
import {
  type InspectedShardStore,
  inspectShardStore,
  type StoredPartition,
} from "../../shards/index.js";
import { type Progress, startProgress } from "../cli/progress.js";
import { formatBytes, formatCount, formatTable } from "../cli/table.js";

const optionsSchema = z.strictObject({
  verify: z.boolean().default(false),
  json: z.boolean().default(false),
});

/** `shardpool shard inspect`. */
export function shardInspectCommand(): Command {
  return new Command("inspect")
    .description("Shows what a shard store holds: partitions, blocks, placement, sizes, hashes.")
    .argument("<store>", "store made by `shard build`")
    .option("--verify", "read every block and check its CRC-32; exit code 1 when one is corrupt")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool shard inspect shard-0.sqlite --verify")
    .action(shardInspect);
}

async function shardInspect(path: string, raw: unknown): Promise<void> {
  const options = parseConfig(optionsSchema, raw, "shard inspect");
  let progress: Progress | undefined;
  const store = inspectShardStore(path, {
    verify: options.verify,
    onProgress: (blocksDone, blockCount) => {
      progress ??= startProgress(`verifying ${path}`, blockCount, "blocks");
      progress.update(blocksDone);
    },
  });
  progress?.finish();
  console.log(options.json ? JSON.stringify(store) : formatStore(store));
  if (store.verified === undefined || store.verified.corruptCount === 0) return;
  const { corruptCount, blockCount, firstCorrupt } = store.verified;
  throw new ShardpoolError(
    "BLOCK_CORRUPT",
    `${corruptCount} of ${blockCount} blocks are corrupt; the first: ${firstCorrupt}`,
  );
}

function formatStore(store: InspectedShardStore): string {
  const { catalog, verified } = store;
  const order =
    catalog.statsHash === null
      ? "rows in row-id order"
      : `rows laid out by statistics ${catalog.statsHash.slice(0, 12)}`;
  const checked = verified && `${formatCount(verified.blockCount)} blocks read and checked`;
  return [
    `${store.path}: built for ${catalog.shardId}, ${formatBytes(store.fileBytes)}, format ${catalog.formatVersion}, catalog ${store.catalogHash.slice(0, 12)}`,
    `model ${catalog.modelName} version ${catalog.modelVersion} (${catalog.modelHash.slice(0, 12)}), ${order}`,
    `${store.partitionCount} partitions, ${formatCount(store.rowCount)} rows in ${formatCount(store.blockCount)} blocks, ${formatBytes(store.rowBytes)} of rows`,
    ...(checked ? [checked] : []),
    "",
    formatTable(
      [
        { title: "partition", align: "left" },
        { title: "table", align: "left" },
        { title: "rows" },
        { title: "columns" },
        { title: "dtype", align: "left" },
        { title: "row" },
        { title: "rows/block" },
        { title: "blocks" },
        { title: "bytes" },
        { title: "rows a class, hottest first", align: "left" },
      ],
      catalog.partitions.map(rowOf),
    ),
  ].join("\n");
}

function rowOf(partition: StoredPartition): string[] {
  const { id, table, rowStart, rowEnd, columnStart, columnEnd, classRowCounts } = partition;
  return [
    id,
    table,
    `${rowStart}-${rowEnd}`,
    `${columnStart}-${columnEnd}`,
    partition.dtype,
    `${partition.rowBytes} B`,
    String(partition.rowsPerBlock),
    formatCount(partition.blockCount),
    formatBytes((rowEnd - rowStart) * partition.rowBytes),
    classRowCounts?.filter((count) => count > 0).join(" ") ?? "row-id order",
  ];
}

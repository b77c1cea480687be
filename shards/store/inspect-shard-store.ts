import { statSync } from "node:fs";
import { ShardpoolError } from "../../lib/errors.js";
import { runCountOf } from "./row-class-runs.js";
import { openShardStore, type ShardStore } from "./shard-store.js";
import { hashCatalog, type StoreCatalog, type StoredPartition } from "./store-catalog.js";
import { rowCountOf } from "./stored-partition.js";

/** What a store holds. */
export interface InspectedShardStore {
  readonly path: string;
  readonly fileBytes: number;
  readonly catalog: StoreCatalog;
  /** SHA-256 of the catalog. */
  readonly catalogHash: string;
  readonly partitionCount: number;
  readonly rowCount: number;
  readonly blockCount: number;
  /** Row bytes of all partitions, without checksums and what SQLite needs. */
  readonly rowBytes: number;
  /** What reading every block gave, when it was asked for. */
  readonly verified: VerifiedBlocks | undefined;
}

export interface VerifiedBlocks {
  readonly blockCount: number;
  readonly corruptCount: number;
  /** What was said of the first that is corrupt. */
  readonly firstCorrupt: string | undefined;
}

export interface InspectOptions {
  /** Reads every block and checks its CRC-32. */
  readonly verify?: boolean;
  readonly onProgress?: (blocksDone: number, blockCount: number) => void;
}

/** Blocks between two calls of `onProgress`. */
const BLOCKS_PER_REPORT = 4096;

/**
 * Reads what a store says about itself, and with `verify` every block of it.
 *
 * @throws ShardpoolError as opening a store does; corrupt blocks are counted, not thrown.
 */
export function inspectShardStore(path: string, options: InspectOptions = {}): InspectedShardStore {
  const store = openShardStore(path);
  try {
    const { catalog } = store;
    const sum = (countOf: (partition: StoredPartition) => number): number =>
      catalog.partitions.reduce((total, partition) => total + countOf(partition), 0);
    return {
      path,
      fileBytes: statSync(path).size,
      catalog,
      catalogHash: hashCatalog(catalog),
      partitionCount: catalog.partitions.length,
      rowCount: sum(rowCountOf),
      blockCount: sum(({ blockCount }) => blockCount),
      rowBytes: sum((partition) => rowCountOf(partition) * partition.rowBytes),
      verified: options.verify ? verifyBlocks(store, options.onProgress) : undefined,
    };
  } finally {
    store.close();
  }
}

function verifyBlocks(store: ShardStore, report?: InspectOptions["onProgress"]): VerifiedBlocks {
  const { partitions } = store.catalog;
  const blockCount = partitions.reduce((sum, partition) => sum + partition.blockCount, 0);
  let blocksDone = 0;
  let corruptCount = 0;
  let firstCorrupt: string | undefined;
  const check = (read: () => unknown): void => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof ShardpoolError)) throw error;
      corruptCount++;
      firstCorrupt ??= error.message;
    }
  };
  for (const partition of partitions) {
    const runCount = partition.classRowCounts === null ? 0 : runCountOf(partition);
    for (let run = 0; run < runCount; run++) check(() => store.readRowClasses(partition, run));
    for (let block = 0; block < partition.blockCount; block++) {
      check(() => store.readBlock(partition, block));
      if (++blocksDone % BLOCKS_PER_REPORT === 0) report?.(blocksDone, blockCount);
    }
  }
  return { blockCount, corruptCount, firstCorrupt };
}

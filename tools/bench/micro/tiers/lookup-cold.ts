import {
  type LookupEngine,
  type LookupRequest,
  openLookupEngine,
} from "../../../../shards/index.js";
import { hasSameBits } from "../lookup/lookup-contender.js";
import { lookupModel } from "../lookup/lookup-model.js";
import { scaleWorkload } from "../lookup/lookup-workload.js";
import { loadDecodedTables, plainLookup } from "../lookup/plain-lookup.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { rateContender } from "../rate-contender.js";
import { BareReader } from "./bare-reader.js";
import { META_WORKLOAD } from "./meta-lookups.js";
import { buildTierStore } from "./tier-store.js";

const READER_COUNTS = [0, 1, 2, 4];
const BATCH_COUNT = 32;

/** Blocks a lookup misses: few, for which a thread hop has to pay, and many. */
const BLOCKS_PER_LOOKUP = [1, 4, 256];

/** The SSD tier's budget: every block missed, page cache warm. */
export const lookupCold: MicroBench = {
  name: "lookup-cold",
  summary:
    "every block missed, page cache warm: blocks/s against a bare better-sqlite3 loop with CRC",
  run: runLookupCold,
};

async function runLookupCold(context: MicroContext): Promise<void> {
  const workload = scaleWorkload(META_WORKLOAD, context.scale);
  const model = await lookupModel(workload, context);
  const storePath = await buildTierStore(model, "cold", context);
  const tables = loadDecodedTables(model);
  const bare = new BareReader(storePath);
  try {
    for (const blockCount of BLOCKS_PER_LOOKUP) {
      for (const readerCount of READER_COUNTS) {
        const engine = openLookupEngine({ storePath, cacheBytes: 0, readerCount });
        try {
          const batches = coldBatches(engine, blockCount);
          const { pooled } = await engine.lookup(batches[0]!);
          const expected = plainLookup(tables, workload.embeddingDim, batches[0]!);
          const correct = hasSameBits(pooled, expected);
          await measure(context, engine, bare, batches, { blockCount, readerCount, correct });
        } finally {
          engine.close();
        }
      }
    }
  } finally {
    bare.close();
  }
}

/** Batches of one row of each of `blockCount` blocks of a partition, spread over it. */
function coldBatches(engine: LookupEngine, blockCount: number): LookupRequest[] {
  return Array.from({ length: BATCH_COUNT }, (_, i) => {
    const partition = i % engine.partitions.length;
    const { blockCount: total, rowsPerBlock } = engine.partitions[partition]!.stored;
    const count = Math.min(blockCount, total);
    const first = (i * 7919) % total;
    const values = Uint32Array.from(
      { length: count },
      (_, k) => ((first + Math.floor((k * total) / count)) % total) * rowsPerBlock,
    );
    const lengths = new Uint32Array(count).fill(1);
    return { sampleCount: count, segments: [{ partition, lengths, values }] };
  });
}

async function measure(
  context: MicroContext,
  engine: LookupEngine,
  bare: BareReader,
  batches: readonly LookupRequest[],
  of: { readonly blockCount: number; readonly readerCount: number; readonly correct: boolean },
): Promise<void> {
  const { blockCount, readerCount, correct } = of;
  let next = 0;
  let nextBare = 0;
  await context.measure({
    case: `${blockCount} blocks a lookup, ${readerCount} readers`,
    ...{ unit: "blocks/s", better: "higher", correct },
    subject: rateContender("lookup engine", async () => {
      const { blocksRead } = await engine.lookup(batches[next++ % batches.length]!);
      return blocksRead;
    }),
    baseline: rateContender("bare better-sqlite3 and CRC", () => {
      const { segments } = batches[nextBare++ % batches.length]!;
      const { partition, values } = segments[0]!;
      const { firstBlock, rowsPerBlock } = engine.partitions[partition]!.stored;
      for (let i = 0; i < values.length; i++) bare.read(firstBlock + values[i]! / rowsPerBlock);
      return values.length;
    }),
    details: (value, baseline) => ({
      usPerBlock: 1e6 / value,
      baselineUsPerBlock: 1e6 / baseline,
      openReaders: engine.openReaderCount,
    }),
  });
}

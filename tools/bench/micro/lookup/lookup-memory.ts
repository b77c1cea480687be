import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rowBytesOf } from "../../../../lib/model/dtype.js";
import { buildShardStore } from "../../../../shards/index.js";
import { forkProbe } from "../fork-probe.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { lookupModel } from "./lookup-model.js";
import { type DrawnWorkload, drawWorkload } from "./lookup-runs.js";
import { SHARD_ID, wholeTablesPlan } from "./lookup-store.js";
import {
  HOT_WORKLOAD,
  type LookupWorkload,
  RANDOM_WORKLOAD,
  scaleWorkload,
} from "./lookup-workload.js";
import type { MemoryProbeResult, MemoryProbeTask } from "./memory-probe.js";
import { plainLookup } from "./plain-lookup.js";

const PROBE_FILE = fileURLToPath(new URL("./memory-probe.js", import.meta.url));

/** What may lie beside rows: a share of the rows in memory, and bytes for each row of the store. */
const BUDGET_SHARE = 0.15;
const BUDGET_BYTES_PER_ROW = 0.5;

const CASES: readonly {
  readonly name: string;
  readonly workload: LookupWorkload;
  readonly cacheShares: readonly number[];
}[] = [
  { name: "26 x 100k float32", workload: HOT_WORKLOAD, cacheShares: [0.1, 0.5, 1] },
  { name: "26 x 100k int8", workload: { ...HOT_WORKLOAD, dtype: "int8" }, cacheShares: [0.1, 1] },
  { name: "4M float32", workload: RANDOM_WORKLOAD, cacheShares: [0.5, 1] },
];

/** Memory beside the rows: what a process really has, and what the engine says it can come to. */
export const lookupMemory: MicroBench = {
  name: "lookup-memory",
  summary:
    "memory beside rows: resident set of a process each, against the budget and the accounts",
  run: runLookupMemory,
};

async function runLookupMemory(context: MicroContext): Promise<void> {
  if (!existsSync("/proc/self/status")) {
    context.note("skipped: it reads /proc/self/status, which this system lacks");
    return;
  }
  for (const { name, workload, cacheShares } of CASES) {
    const drawn = await drawFor(scaleWorkload(workload, context.scale), context);
    for (const cacheShare of cacheShares) {
      await measureCase(context, drawn, `${name}, cache ${100 * cacheShare} %`, cacheShare);
    }
  }
}

interface BuiltWorkload extends DrawnWorkload {
  readonly storePath: string;
  readonly sumsHash: string;
}

async function drawFor(workload: LookupWorkload, context: MicroContext): Promise<BuiltWorkload> {
  const model = await lookupModel(workload, context);
  const drawn = await drawWorkload(workload, model, context);
  const { stats, batches, tables } = drawn;
  const storePath = join(context.runDir, `${model.manifest.name}.sqlite`);
  context.note(`building the store of ${model.manifest.name}`);
  const plan = wholeTablesPlan(model, stats?.hash ?? null);
  const build = { modelDir: model.dir, plan, shardId: SHARD_ID, out: storePath };
  await buildShardStore(stats === undefined ? build : { ...build, stats });
  const sums = plainLookup(tables, workload.embeddingDim, batches[0]!);
  return { ...drawn, storePath, sumsHash: createHash("sha256").update(sums).digest("hex") };
}

async function measureCase(
  context: MicroContext,
  { workload, storePath, sumsHash }: BuiltWorkload,
  name: string,
  cacheShare: number,
): Promise<void> {
  const { tableCount, rowCount, dtype, embeddingDim } = workload;
  const cacheBytes = Math.floor(
    tableCount * rowCount * rowBytesOf(dtype, embeddingDim) * cacheShare,
  );
  const task = { storePath, cacheBytes, workload, seed: context.seed };
  const alone = await runProbe({ ...task, readerCount: 0 });
  printBeside(context, `${name}, no readers`, alone, sumsHash);
  // Where all rows are in memory nothing is missed, and no reader starts.
  if (cacheShare === 1) return;
  const read = await runProbe({ ...task, readerCount: 4 });
  printBeside(context, `${name}, 4 readers`, read, sumsHash);
  printReader(context, name, alone, read);
}

function printBeside(
  context: MicroContext,
  name: string,
  result: MemoryProbeResult,
  sumsHash: string,
): void {
  const { residentBytes, peakBytes, heapBytes, rowBytes, rowsStored, parts } = result;
  const value = residentBytes - rowBytes;
  const budget = BUDGET_SHARE * rowBytes + BUDGET_BYTES_PER_ROW * rowsStored;
  const { rows, ...beside } = parts;
  const accountedBytes = Object.values(beside).reduce((sum, bytes) => sum + bytes, 0);
  context.print({
    ...{ case: name, unit: "bytes beside rows", better: "lower", value },
    baseline: { name: "budget: 15 % of row bytes + 0.5 B a row stored", value: budget },
    ratio: value / budget,
    correct: result.sumsHash === sumsHash && value <= accountedBytes && rowBytes <= rows,
    ...{ rowBytes, rowsStored, heapBytes, peakBytes: peakBytes - rowBytes },
    ...{ accountedBytes, accounted: beside, openReaderCount: result.openReaderCount },
    perRowRatio: (beside.index + beside.placement) / budget,
    placementBytesPerRow: beside.placement / rowsStored,
  });
}

function printReader(
  context: MicroContext,
  name: string,
  alone: MemoryProbeResult,
  read: MemoryProbeResult,
): void {
  const { openReaderCount, parts } = read;
  if (openReaderCount === 0) return;
  const value = (read.residentBytes - alone.residentBytes) / openReaderCount;
  const accounted = parts.readers / 4;
  context.print({
    ...{ case: `${name}, a reader thread`, unit: "bytes", better: "lower", value },
    baseline: { name: "what the engine counts for it", value: accounted },
    ratio: value / accounted,
    // A difference of two processes; each of them is held to its whole.
    correct: true,
    openReaderCount,
  });
}

function runProbe(task: MemoryProbeTask): Promise<MemoryProbeResult> {
  return forkProbe(PROBE_FILE, task, ["--expose-gc"]);
}

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Model } from "../../../../lib/model/model-directory.js";
import { inspectShardStore } from "../../../../shards/index.js";
import { forkProbe } from "../fork-probe.js";
import { lookupModel } from "../lookup/lookup-model.js";
import { RANDOM_WORKLOAD, scaleWorkload } from "../lookup/lookup-workload.js";
import { summarise } from "../measure-in-turns.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { type ColdDiskResult, type ColdDiskTask, drawBlocks } from "./cold-disk-probe.js";
import { buildTierStore } from "./tier-store.js";

const PROBE_FILE = fileURLToPath(new URL("./cold-disk-probe.js", import.meta.url));
const READER_COUNTS = [1, 2, 4, 8, 16];
const ROUNDS = 3;
/** Below it, a block did not come from the disk. */
const COLD_SHARE_MIN = 0.5;
const HASHED_BLOCKS = 256;

/** Blocks that nobody has in memory, not the page cache either: how many readers keep the disk busy. */
export const coldDisk: MicroBench = {
  name: "cold-disk",
  summary: "blocks from the disk itself, page cache dropped: 1 to 16 readers, pread and mmap",
  run: runColdDisk,
};

interface ColdCase {
  readonly name: string;
  readonly mapsFile: boolean;
  readonly readers: number | "bare";
  readonly results: ColdDiskResult[];
}

async function runColdDisk(context: MicroContext): Promise<void> {
  if (!existsSync("/proc/self/io")) {
    context.note("skipped: it reads /proc/self/io, which this system lacks");
    return;
  }
  const model = await lookupModel(scaleWorkload(RANDOM_WORKLOAD, context.scale), context);
  const storePath = await buildTierStore(model, "cold", context);
  const { catalog } = await inspectShardStore(storePath);
  const { blockCount, rowsPerBlock, rowBytes } = catalog.partitions[0]!;
  const blockBytes = rowsPerBlock * rowBytes;
  const rowsHash = hashFirstRows(model, blockCount, rowsPerBlock, context.seed);
  const seconds = context.seconds / ROUNDS;
  const shape = { storePath, blockCount, rowsPerBlock, blockBytes, seconds, seed: context.seed };
  const cases = listCases();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, mapsFile, readers, results } of cases) {
      context.note(`round ${round + 1} of ${ROUNDS}: ${name}`);
      if (!dropFromPageCache(storePath)) {
        context.note("skipped: `dd iflag=nocache` (GNU coreutils) is not to be had");
        return;
      }
      const task: ColdDiskTask = { ...shape, mapsFile, readers };
      results.push(await forkProbe<ColdDiskResult>(PROBE_FILE, task));
    }
  }
  for (const one of cases.slice(1)) {
    printCase(context, one, cases[0]!, { blockBytes, rowsHash });
  }
}

/** The first is the baseline. */
function listCases(): readonly ColdCase[] {
  const cases: ColdCase[] = [];
  for (const mapsFile of [false, true]) {
    const mode = mapsFile ? "mmap" : "pread";
    for (const readers of ["bare", ...READER_COUNTS] as const) {
      const name =
        readers === "bare" ? `bare better-sqlite3 and CRC, ${mode}` : `${mode}, ${readers} readers`;
      cases.push({ name, mapsFile, readers, results: [] });
    }
  }
  return cases;
}

/** Asks the kernel to forget a file's pages (posix_fadvise DONTNEED); nobody may have it mapped. */
function dropFromPageCache(path: string): boolean {
  spawnSync("sync", [path]);
  return spawnSync("dd", [`if=${path}`, "iflag=nocache", "count=0"]).status === 0;
}

/** What the probe's first lookup has to give, from the model itself. */
function hashFirstRows(
  model: Model,
  blockCount: number,
  rowsPerBlock: number,
  seed: number,
): string {
  const { name } = model.manifest.tables[0]!;
  const reader = model.openTable(name);
  const hash = createHash("sha256");
  try {
    const row = new Uint8Array(reader.rowBytes);
    for (const block of drawBlocks(blockCount, seed).subarray(0, HASHED_BLOCKS)) {
      reader.readRowBytes(block * rowsPerBlock, 1, row);
      hash.update(row);
    }
  } finally {
    reader.close();
  }
  return hash.digest("hex");
}

function printCase(
  context: MicroContext,
  { name, readers, results }: ColdCase,
  bare: ColdCase,
  store: { readonly blockBytes: number; readonly rowsHash: string },
): void {
  const rateOf = ({ blockCount, elapsedMs }: ColdDiskResult): number =>
    (blockCount * 1000) / elapsedMs;
  const value = summarise(results.map(rateOf));
  const baseline = summarise(bare.results.map(rateOf));
  const perBlock = (read: (result: ColdDiskResult) => number): number =>
    summarise(results.map((result) => read(result) / result.blockCount)).median;
  const diskBytesPerBlock = perBlock(({ diskBytes }) => diskBytes);
  const isRight = results.every(
    ({ rowsHash }) => readers === "bare" || rowsHash === store.rowsHash,
  );
  const blocksRead = results.map(({ blockCount }) => blockCount);
  context.print({
    ...{ case: name, unit: "blocks/s", better: "higher", value: value.median },
    baseline: { name: bare.name, value: baseline.median },
    ratio: value.median / baseline.median,
    spread: { value: value.quartiles, baseline: baseline.quartiles },
    turns: ROUNDS,
    correct: isRight,
    // Where the kernel did not forget the file, or reads around have brought all of it, they did not.
    cameFromDisk: diskBytesPerBlock >= COLD_SHARE_MIN * store.blockBytes,
    ...{ diskBytesPerBlock, cpuUsPerBlock: perBlock(({ cpuUs }) => cpuUs), blocksRead },
    openReaderCount: Math.max(...results.map(({ openReaderCount }) => openReaderCount)),
  });
}

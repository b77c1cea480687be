import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Random } from "../../../../lib/random.js";
import { type LookupRequest, openLookupEngine } from "../../../../shards/index.js";
import { BareReader } from "./bare-reader.js";

/** What the probe is asked to do, as its only argument, in JSON. */
export interface ColdDiskTask {
  readonly storePath: string;
  readonly blockCount: number;
  readonly rowsPerBlock: number;
  readonly blockBytes: number;
  readonly mapsFile: boolean;
  /** Reader threads of an engine; "bare" is a loop without one. */
  readonly readers: number | "bare";
  readonly seconds: number;
  readonly seed: number;
}

export interface ColdDiskResult {
  readonly blockCount: number;
  readonly elapsedMs: number;
  readonly cpuUs: number;
  /** What came from the disk meanwhile, whatever the kernel read around the blocks included. */
  readonly diskBytes: number;
  readonly openReaderCount: number;
  /** SHA-256 of the first lookup's rows; of a bare loop empty, whose blocks have their checksum alone. */
  readonly rowsHash: string;
}

const BLOCKS_PER_LOOKUP = 256;
/** Enough that every reader has two chunks. */
const LOOKUPS_IN_FLIGHT = 12;
/**
 * The last blocks of the file are read over and over until all readers are open. A mapped file is not warmed
 * up: what the kernel reads around those blocks, and around the pages of the tree, would be most of it.
 */
const WARM_UP_BLOCKS = BLOCKS_PER_LOOKUP * LOOKUPS_IN_FLIGHT;
const WARM_UP_MS_MAX = 5000;
/** Between two rounds of warming up: threads that start need the processor too. */
const WARM_UP_PAUSE_MS = 20;

/** All but the last blocks, in an order drawn from the seed, each once. */
export function drawBlocks(blockCount: number, seed: number): Uint32Array {
  const random = new Random(seed, "cold blocks");
  const length = blockCount - Math.min(WARM_UP_BLOCKS, blockCount >> 2);
  const blocks = Uint32Array.from({ length }, (_, block) => block);
  for (let i = length - 1; i > 0; i--) {
    const j = random.nextBelow(i + 1);
    [blocks[i], blocks[j]] = [blocks[j]!, blocks[i]!];
  }
  return blocks;
}

/** The lookup that wants some blocks, the first row of each, one a bag. */
export function lookupOfBlocks(blocks: Uint32Array, rowsPerBlock: number): LookupRequest {
  const values = blocks.map((block) => block * rowsPerBlock);
  const lengths = new Uint32Array(blocks.length).fill(1);
  return { sampleCount: blocks.length, segments: [{ partition: 0, lengths, values }] };
}

/** What a run of blocks cost, from here to `end`. */
function startMeter() {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const disk = diskBytes();
  return (blockCount: number) => {
    const { user, system } = process.cpuUsage(cpu);
    const elapsedMs = performance.now() - startMs;
    return { blockCount, elapsedMs, cpuUs: user + system, diskBytes: diskBytes() - disk };
  };
}

function diskBytes(): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))![1]);
}

function readBare({ storePath, mapsFile, seconds, blockCount, seed }: ColdDiskTask) {
  const blocks = drawBlocks(blockCount, seed);
  const reader = new BareReader(storePath, mapsFile);
  const stop = startMeter();
  const endMs = performance.now() + seconds * 1000;
  let count = 0;
  for (; count < blocks.length && performance.now() < endMs; count++) {
    // Blocks of the only partition are numbered from 0 in the file as well.
    if (!reader.read(blocks[count]!)) throw new Error(`block ${blocks[count]} is not sound`);
  }
  const result = stop(count);
  reader.close();
  return { ...result, openReaderCount: 0, rowsHash: "" };
}

async function readThroughEngine(task: ColdDiskTask, readerCount: number) {
  const { storePath, mapsFile, seconds, blockCount, rowsPerBlock, blockBytes, seed } = task;
  const blocks = drawBlocks(blockCount, seed);
  const cacheBytes = BLOCKS_PER_LOOKUP * blockBytes;
  const engine = openLookupEngine({ storePath, mapsStore: mapsFile, readerCount, cacheBytes });
  const lookUp = async (some: Uint32Array): Promise<Float32Array> =>
    (await engine.lookup(lookupOfBlocks(some, rowsPerBlock))).pooled;
  const inFlight = async (client: (number: number) => Promise<void>): Promise<void> => {
    await Promise.all(Array.from({ length: LOOKUPS_IN_FLIGHT }, (_, number) => client(number)));
  };
  const warmEndMs = mapsFile ? 0 : performance.now() + WARM_UP_MS_MAX;
  await inFlight(async (number) => {
    const first = blocks.length + number * BLOCKS_PER_LOOKUP;
    const length = Math.min(BLOCKS_PER_LOOKUP, blockCount - first);
    const some = Uint32Array.from({ length: Math.max(0, length) }, (_, i) => first + i);
    while (length > 0 && engine.openReaderCount < readerCount && performance.now() < warmEndMs) {
      await lookUp(some);
      await setTimeout(WARM_UP_PAUSE_MS);
    }
  });
  const stop = startMeter();
  const rowsHash = createHash("sha256")
    .update(await lookUp(blocks.subarray(0, BLOCKS_PER_LOOKUP)))
    .digest("hex");
  let next = BLOCKS_PER_LOOKUP;
  const endMs = performance.now() + seconds * 1000;
  await inFlight(async () => {
    while (next < blocks.length && performance.now() < endMs) {
      const some = blocks.subarray(next, next + BLOCKS_PER_LOOKUP);
      next += some.length;
      await lookUp(some);
    }
  });
  const { openReaderCount } = engine;
  const result = { ...stop(next), openReaderCount, rowsHash };
  engine.close();
  return result;
}

async function probe(task: ColdDiskTask): Promise<ColdDiskResult> {
  return task.readers === "bare" ? readBare(task) : readThroughEngine(task, task.readers);
}

if (process.send) {
  process.send(await probe(JSON.parse(process.argv[2]!) as ColdDiskTask));
  process.disconnect();
}

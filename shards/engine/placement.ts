import { ShardpoolError } from "../../lib/errors.js";
import { runCountOf } from "../store/row-class-runs.js";
import {
  CLASS_COUNT_MAX,
  classStartsOf,
  LINE_BYTES,
  lineCountOf,
  ROWS_PER_LINE,
} from "../store/row-classes.js";
import type { ShardStore } from "../store/shard-store.js";
import type { StoredPartition } from "../store/store-catalog.js";
import { describePartition, rowCountOf } from "../store/stored-partition.js";
import type { KernelMemory, SlabLayout } from "./slab.js";

/** A line's classes, then 8 counts of 16 bits; what each byte means stands at the `placeRows` kernel. */
const RANKED_LINE_BYTES = LINE_BYTES + CLASS_COUNT_MAX * 2;

const BASE_BYTES = CLASS_COUNT_MAX * 4;

/**
 * Where a partition's row ids are turned into positions: half a byte a row (64 bytes for 128), and 32
 * bytes for every 65,536 rows.
 */
export interface PlacementAreas {
  readonly linesPtr: number;
  readonly basesPtr: number;
  /** Where the counts of classes go on from while they are filled in. */
  readonly nextPtr: number;
}

/** Room for a partition's placement; none when its rows lie in row-id order. */
export function reservePlacementAreas(
  layout: SlabLayout,
  partition: StoredPartition,
): PlacementAreas | undefined {
  if (partition.classRowCounts === null) return undefined;
  return {
    linesPtr: layout.reserve(lineCountOf(rowCountOf(partition)) * RANKED_LINE_BYTES),
    basesPtr: layout.reserve(runCountOf(partition) * BASE_BYTES),
    nextPtr: layout.reserve(BASE_BYTES),
  };
}

/**
 * Reads a partition's row classes into its slab and counts them.
 *
 * @throws ShardpoolError BLOCK_CORRUPT when a checksum fails, FILE_CORRUPT when the classes have other
 * row counts than the catalog says.
 */
export function loadPlacement(
  slab: Pick<KernelMemory, "bytes" | "uint32" | "kernels">,
  areas: PlacementAreas,
  partition: StoredPartition,
  store: Pick<ShardStore, "path" | "readRowClasses">,
): void {
  const rowCounts = partition.classRowCounts!;
  const lineCount = lineCountOf(rowCountOf(partition));
  let line = 0;
  for (let run = 0; run < runCountOf(partition); run++) {
    const planes = store.readRowClasses(partition, run);
    for (let from = 0; from < planes.length; from += LINE_BYTES) {
      const to = areas.linesPtr + line++ * RANKED_LINE_BYTES;
      slab.bytes.set(planes.subarray(from, from + LINE_BYTES), to);
    }
  }
  const starts = classStartsOf(rowCounts);
  const next = slab.uint32.subarray(areas.nextPtr >> 2, (areas.nextPtr >> 2) + CLASS_COUNT_MAX);
  next.set(starts);
  slab.kernels.rankRows(areas.linesPtr, lineCount, areas.basesPtr, areas.nextPtr);
  // The bits past the last row are 0, which is class 0.
  const padding = lineCount * ROWS_PER_LINE - rowCountOf(partition);
  const agrees = rowCounts.every(
    (rowCount, k) => next[k]! === starts[k]! + rowCount + (k === 0 ? padding : 0),
  );
  if (!agrees) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${store.path}: the row classes of ${describePartition(partition)} are not as many as its catalog says`,
    );
  }
}

/** Row ids that `Placement` takes at a time. */
export const PLACED_IDS_MAX = 32768;

/**
 * Turns a partition's row ids into positions. What it works with lies in the slab of the partition's
 * cache, or, when it is wanted only until all rows are in memory, in a memory apart that goes with it.
 */
export class Placement {
  readonly memory: KernelMemory;
  readonly #areas: PlacementAreas;
  readonly #idsPtr: number;

  /** @param idsPtr Room for `PLACED_IDS_MAX` row ids in `memory`. */
  constructor(memory: KernelMemory, areas: PlacementAreas, idsPtr: number) {
    this.memory = memory;
    this.#areas = areas;
    this.#idsPtr = idsPtr;
  }

  /** Overwrites at most `PLACED_IDS_MAX` row ids, wherever they lie, with their positions. */
  place(ids: Uint32Array): void {
    const { linesPtr, basesPtr } = this.#areas;
    const { uint32, kernels } = this.memory;
    const isApart = ids.buffer !== uint32.buffer;
    if (isApart) uint32.set(ids, this.#idsPtr >> 2);
    const idsPtr = isApart ? this.#idsPtr : ids.byteOffset;
    kernels.placeRows(idsPtr, ids.length, linesPtr, basesPtr);
    if (isApart) ids.set(uint32.subarray(idsPtr >> 2, (idsPtr >> 2) + ids.length));
  }
}

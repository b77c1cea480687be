import type { JaggedBatch } from "../../lib/jagged-batch.js";
import { featureOffsets } from "../../lib/jagged-batch.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { PlanPartition, ShardingPlan } from "../../lib/plan/plan.js";

/** The rows of one feature's bags that lie in one partition. */
export interface RoutedSegment {
  readonly featureIndex: number;
  /** Position in the plan's `partitions`. */
  readonly partitionIndex: number;
  /** `[B]`, row ids a bag; 0 for a bag without rows in the partition. */
  readonly lengths: Int32Array;
  /** Row ids local to the partition, all bags end to end, in bag order. */
  readonly values: Int32Array;
  /** One a value, where the batch has them. */
  readonly weights?: Float32Array;
}

/** Disjoint row ranges, rising; the partitions that hold them differ in rows and not in columns. */
interface RowSplit {
  readonly rowStarts: Int32Array;
  readonly rowEnds: Int32Array;
  /** For each range the partitions that want its ids: several where columns are split too. */
  readonly partitionIndexes: readonly (readonly number[])[];
  /** One range with every row of the table: row ids are local ids already. */
  readonly isWhole: boolean;
}

/** A plan seen from the frontend: row ids to partitions. Pure; one serves all batches of a plan. */
export class Router {
  /** For each feature its table's splits: one, unless rows are split unlike in unlike columns. */
  readonly #splitsByFeature: readonly (readonly RowSplit[])[];

  /** The plan must fit the model (`assertPlanFitsModel`). */
  constructor(plan: ShardingPlan, manifest: ModelManifest) {
    const splitsByTable = new Map(
      manifest.tables.map(({ name, rowCount }) => [
        name,
        splitsOf(plan.partitions, name, rowCount),
      ]),
    );
    this.#splitsByFeature = manifest.features.map(({ table }) => splitsByTable.get(table)!);
  }

  /**
   * The segments to look up, ordered by feature; a segment without any row id is left out. Every id
   * must be a row of its table. What comes back may share memory with the batch.
   */
  route(batch: JaggedBatch): RoutedSegment[] {
    const segments: RoutedSegment[] = [];
    const offsets = featureOffsets(batch);
    for (const [featureIndex, splits] of this.#splitsByFeature.entries()) {
      const bags = bagsOf(batch, featureIndex, offsets[featureIndex]!, offsets[featureIndex + 1]!);
      if (bags.values.length === 0) continue;
      for (const split of splits) {
        if (split.isWhole) addSegments(segments, featureIndex, split, 0, bags);
        else addRanges(segments, featureIndex, split, bags);
      }
    }
    return segments;
  }
}

/** One feature's part of a batch, or what of it lies in a row range. */
interface Bags {
  readonly lengths: Int32Array;
  readonly values: Int32Array;
  readonly weights?: Float32Array;
}

function bagsOf(batch: JaggedBatch, featureIndex: number, start: number, end: number): Bags {
  const { sampleCount } = batch;
  const first = featureIndex * sampleCount;
  return {
    lengths: batch.lengths.subarray(first, first + sampleCount),
    values: batch.values.subarray(start, end),
    ...(batch.weights && { weights: batch.weights.subarray(start, end) }),
  };
}

function addSegments(
  segments: RoutedSegment[],
  featureIndex: number,
  split: RowSplit,
  rangeIndex: number,
  bags: Bags,
): void {
  for (const partitionIndex of split.partitionIndexes[rangeIndex]!) {
    segments.push({ featureIndex, partitionIndex, ...bags });
  }
}

/** Ids of a row outside every range of this split are another split's. */
const NO_RANGE = -1;

/** Splits bags by row range: one pass counts, a second fills, so that nothing grows. */
function addRanges(
  segments: RoutedSegment[],
  featureIndex: number,
  split: RowSplit,
  bags: Bags,
): void {
  const rangeCount = split.rowStarts.length;
  const sampleCount = bags.lengths.length;
  const rangeOfValue = new Int32Array(bags.values.length);
  const lengths = new Int32Array(rangeCount * sampleCount);
  countByRange(split, bags, rangeOfValue, lengths);

  const ends = new Int32Array(rangeCount);
  for (let range = 0, end = 0; range < rangeCount; range++) {
    for (let bag = 0; bag < sampleCount; bag++) end += lengths[range * sampleCount + bag]!;
    ends[range] = end;
  }
  const values = new Int32Array(bags.values.length);
  const weights = bags.weights && new Float32Array(bags.values.length);
  fillByRange(split, bags, rangeOfValue, ends, values, weights);

  for (let range = 0; range < rangeCount; range++) {
    const start = range === 0 ? 0 : ends[range - 1]!;
    const end = ends[range]!;
    if (start === end) continue;
    addSegments(segments, featureIndex, split, range, {
      lengths: lengths.subarray(range * sampleCount, (range + 1) * sampleCount),
      values: values.subarray(start, end),
      ...(weights && { weights: weights.subarray(start, end) }),
    });
  }
}

function countByRange(
  split: RowSplit,
  bags: Bags,
  rangeOfValue: Int32Array,
  lengths: Int32Array,
): void {
  const sampleCount = bags.lengths.length;
  const { rowStarts, rowEnds } = split;
  let position = 0;
  for (let bag = 0; bag < sampleCount; bag++) {
    const end = position + bags.lengths[bag]!;
    for (; position < end; position++) {
      const range = rangeOf(rowStarts, rowEnds, bags.values[position]!);
      rangeOfValue[position] = range;
      if (range !== NO_RANGE) lengths[range * sampleCount + bag]!++;
    }
  }
}

function fillByRange(
  split: RowSplit,
  bags: Bags,
  rangeOfValue: Int32Array,
  ends: Int32Array,
  values: Int32Array,
  weights: Float32Array | undefined,
): void {
  const cursors = new Int32Array(ends.length);
  cursors.set(ends.subarray(0, -1), 1);
  for (let i = 0; i < rangeOfValue.length; i++) {
    const range = rangeOfValue[i]!;
    if (range === NO_RANGE) continue;
    const position = cursors[range]!++;
    values[position] = bags.values[i]! - split.rowStarts[range]!;
    if (weights) weights[position] = bags.weights![i]!;
  }
}

/** Binary search for the range that holds a row id. */
function rangeOf(rowStarts: Int32Array, rowEnds: Int32Array, rowId: number): number {
  let low = 0;
  let high = rowStarts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (rowStarts[middle]! <= rowId) low = middle;
    else high = middle;
  }
  return rowId >= rowStarts[low]! && rowId < rowEnds[low]! ? low : NO_RANGE;
}

/** Groups a table's partitions by columns, and column groups that split rows alike into one split. */
function splitsOf(
  partitions: readonly PlanPartition[],
  table: string,
  rowCount: number,
): readonly RowSplit[] {
  const byColumns = new Map<string, number[]>();
  for (const [index, partition] of partitions.entries()) {
    if (partition.table !== table) continue;
    const columns = `${partition.columnStart}-${partition.columnEnd}`;
    byColumns.set(columns, [...(byColumns.get(columns) ?? []), index]);
  }
  const groupsByRows = new Map<string, number[][]>();
  for (const indexes of byColumns.values()) {
    indexes.sort((a, b) => partitions[a]!.rowStart - partitions[b]!.rowStart);
    const rows = indexes
      .map((index) => `${partitions[index]!.rowStart}-${partitions[index]!.rowEnd}`)
      .join();
    groupsByRows.set(rows, [...(groupsByRows.get(rows) ?? []), indexes]);
  }
  return [...groupsByRows.values()].map((groups) => rowSplitOf(groups, partitions, rowCount));
}

function rowSplitOf(
  groups: readonly (readonly number[])[],
  partitions: readonly PlanPartition[],
  rowCount: number,
): RowSplit {
  const ranges = groups[0]!.map((index) => partitions[index]!);
  return {
    rowStarts: Int32Array.from(ranges, (partition) => partition.rowStart),
    rowEnds: Int32Array.from(ranges, (partition) => partition.rowEnd),
    partitionIndexes: ranges.map((_, range) => groups.map((group) => group[range]!)),
    isWhole: ranges.length === 1 && ranges[0]!.rowStart === 0 && ranges[0]!.rowEnd === rowCount,
  };
}

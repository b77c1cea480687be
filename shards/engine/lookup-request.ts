import { ShardpoolError } from "../../lib/errors.js";
import { hasNaN, largestOf } from "../kernels/scan-values.js";

/** The bags of one feature whose rows lie in one partition. */
export interface LookupSegment {
  /** Number of the partition, as the engine lists it. */
  readonly partition: number;
  /** `[sampleCount]`, row ids a bag. */
  readonly lengths: Uint32Array;
  /** `[N]`, row ids local to the partition, all bags end to end. Repeats are allowed. */
  readonly values: Uint32Array;
  /** `[N]`, one a value; absent for an unweighted sum. */
  readonly weights?: Float32Array;
}

/** One batch's row ids. The engine reads the arrays until it has answered; callers leave them be. */
export interface LookupRequest {
  readonly sampleCount: number;
  readonly segments: readonly LookupSegment[];
  /** On the engine's clock; the lookup is given up when it has passed. */
  readonly deadlineAtMs?: number;
  /** Gives the lookup up: nobody waits for it any more. */
  readonly signal?: AbortSignal;
}

/** What a lookup cost, in microseconds. */
export interface LookupTimings {
  /** Waiting for room among the lookups that wait for blocks. */
  readonly queueUs: number;
  /** Finding rows, and copying missed ones. */
  readonly memoryUs: number;
  /** Waiting for blocks. */
  readonly ssdUs: number;
  /** Summing rows. */
  readonly poolUs: number;
  readonly totalUs: number;
}

export interface LookupReply {
  /**
   * `[sampleCount][columns]` float32 for each segment in its order, end to end: sums of the bags. It
   * has `REPLY_ROOM_BYTES` before and after it in its buffer for the rest of a message.
   */
  readonly pooled: Float32Array;
  /** Row reads answered from memory and from the store, repeats counted. */
  readonly rowsHit: number;
  readonly rowsMissed: number;
  /** Blocks this lookup waited for. */
  readonly blocksRead: number;
  readonly timings: LookupTimings;
}

export interface LookupLimits {
  readonly sampleCountMax: number;
  readonly valueCountMax: number;
  readonly replyBytesMax: number;
}

/** What validation must know of a partition. */
export interface PartitionShape {
  readonly rowCount: number;
  readonly columnCount: number;
}

/**
 * Checks a whole lookup before any row is read, and returns the number of float32 values of its
 * answer.
 *
 * @throws ShardpoolError REQUEST_INVALID, ROW_OUT_OF_RANGE, LIMIT_EXCEEDED or PARTITION_NOT_HELD.
 */
export function validateLookup(
  request: LookupRequest,
  partitions: readonly PartitionShape[],
  limits: LookupLimits,
): number {
  const { sampleCount, segments } = request;
  if (!Number.isInteger(sampleCount) || sampleCount < 1) {
    throw new ShardpoolError("REQUEST_INVALID", `sample_count ${sampleCount} is below 1`);
  }
  if (segments.length === 0) throw new ShardpoolError("REQUEST_INVALID", "no segments");
  assertLimit("sample_count", sampleCount, limits.sampleCountMax);
  let valueCount = 0;
  let pooledCount = 0;
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!;
    valueCount += segment.values.length;
    assertLimit("number of values", valueCount, limits.valueCountMax);
    const partition = partitions[segment.partition];
    if (partition === undefined) {
      throw new ShardpoolError(
        "PARTITION_NOT_HELD",
        `segment ${i}: no partition ${segment.partition}, this shard holds ${partitions.length}`,
      );
    }
    pooledCount += sampleCount * partition.columnCount;
    assertLimit("reply bytes", pooledCount * 4, limits.replyBytesMax);
    validateSegment(segment, i, sampleCount, partition.rowCount);
  }
  return pooledCount;
}

function assertLimit(what: string, value: number, limit: number): void {
  if (value > limit) {
    throw new ShardpoolError("LIMIT_EXCEEDED", `${what} ${value} is over the limit of ${limit}`);
  }
}

function validateSegment(
  segment: LookupSegment,
  index: number,
  sampleCount: number,
  rowCount: number,
): void {
  const { lengths, values, weights } = segment;
  if (lengths.length !== sampleCount) {
    throw new ShardpoolError(
      "REQUEST_INVALID",
      `segment ${index}: ${lengths.length} lengths for ${sampleCount} samples`,
    );
  }
  let lengthSum = 0;
  for (let i = 0; i < lengths.length; i++) lengthSum += lengths[i]!;
  if (lengthSum !== values.length) {
    throw new ShardpoolError(
      "REQUEST_INVALID",
      `segment ${index}: lengths sum to ${lengthSum}, there are ${values.length} values`,
    );
  }
  if (largestOf(values) >= rowCount && values.length > 0) {
    const at = values.findIndex((row) => row >= rowCount);
    throw new ShardpoolError(
      "ROW_OUT_OF_RANGE",
      `segment ${index}: row ${values[at]} at ${at} is not below the partition's ${rowCount} rows`,
    );
  }
  if (weights !== undefined) validateWeights(weights, index, values.length);
}

function validateWeights(weights: Float32Array, index: number, valueCount: number): void {
  if (weights.length !== valueCount) {
    throw new ShardpoolError(
      "REQUEST_INVALID",
      `segment ${index}: ${weights.length} weights for ${valueCount} values`,
    );
  }
  if (hasNaN(weights)) {
    const at = weights.findIndex(Number.isNaN);
    throw new ShardpoolError("REQUEST_INVALID", `segment ${index}: weight ${at} is not a number`);
  }
}

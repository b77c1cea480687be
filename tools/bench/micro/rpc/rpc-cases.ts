/** A message exchange to measure: the byte sizes and the depth of the C++ peer in tools/bench/peers. */
export interface RpcCase {
  readonly name: string;
  /** Bytes of row ids and lengths in a request, and of sums in an answer. */
  readonly requestBytes: number;
  readonly replyBytes: number;
  readonly inFlight: number;
  /** The median time of one exchange where one is in flight, else exchanges a second. */
  readonly measures: "p50" | "rate";
}

export const RPC_CASES: readonly RpcCase[] = [
  {
    name: "64 B / 64 B, 1 in flight",
    requestBytes: 64,
    replyBytes: 64,
    inFlight: 1,
    measures: "p50",
  },
  {
    name: "64 B / 64 B, 32 in flight",
    requestBytes: 64,
    replyBytes: 64,
    inFlight: 32,
    measures: "rate",
  },
  {
    name: "4 KB / 32 KB, 1 in flight",
    requestBytes: 4096,
    replyBytes: 32768,
    inFlight: 1,
    measures: "p50",
  },
  {
    name: "4 KB / 32 KB, 8 in flight",
    requestBytes: 4096,
    replyBytes: 32768,
    inFlight: 8,
    measures: "rate",
  },
];

/** Columns of the null shard's partition: 64 bytes of sums a sample. */
export const RPC_COLUMN_COUNT = 16;

/** Samples whose sums make up the answer, and the row ids that fill the request. */
export function countsOf({ requestBytes, replyBytes }: RpcCase): {
  readonly sampleCount: number;
  readonly valueCount: number;
} {
  const sampleCount = replyBytes / (RPC_COLUMN_COUNT * 4);
  return { sampleCount, valueCount: requestBytes / 4 - sampleCount };
}

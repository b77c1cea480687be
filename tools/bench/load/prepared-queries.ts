import { ShardpoolError } from "../../../lib/errors.js";
import { encodeInferRequest, type InferRequestOptions } from "./infer-request.js";
import type { LoadQuery } from "./load-query.js";

/** Queries ready to send: nothing is left to encode when the clock runs. */
export interface PreparedQueries {
  /** Encoded requests, in the log's order. */
  readonly requests: readonly Buffer[];
  readonly sampleCounts: Int32Array;
  /** Where each query's samples start among all samples. */
  readonly sampleStarts: Int32Array;
  /** One label a sample, 1 for a click. */
  readonly labels: Uint8Array;
}

export interface QueryLimits {
  /** Row ids and dense values held, bytes; encoded requests take about the same again. */
  readonly queryBytesMax: number;
  readonly queryCountMax: number;
}

/**
 * Reads queries until the source ends or a limit is reached. A run that needs more sends them again
 * from the first.
 *
 * @throws ShardpoolError CLICKS_INVALID when the source holds none, LIMIT_EXCEEDED when the first
 * query alone is over the limit.
 */
export async function readQueries(
  source: AsyncIterable<LoadQuery>,
  { queryBytesMax, queryCountMax }: QueryLimits,
): Promise<{ readonly queries: LoadQuery[]; readonly isWhole: boolean }> {
  const queries: LoadQuery[] = [];
  let bytes = 0;
  for await (const query of source) {
    const queryBytes = bytesOf(query);
    if (queries.length === 0 && queryBytes > queryBytesMax) {
      throw new ShardpoolError(
        "LIMIT_EXCEEDED",
        `the log's first query takes ${queryBytes} bytes, queryBytesMax is ${queryBytesMax}`,
      );
    }
    if (bytes + queryBytes > queryBytesMax || queries.length === queryCountMax) {
      return { queries, isWhole: false };
    }
    bytes += queryBytes;
    queries.push(query);
  }
  if (queries.length === 0) {
    throw new ShardpoolError("CLICKS_INVALID", "the click log holds no query");
  }
  return { queries, isWhole: true };
}

export function prepareQueries(
  queries: readonly LoadQuery[],
  options: InferRequestOptions,
): PreparedQueries {
  const sampleCounts = Int32Array.from(queries, (query) => query.sampleCount);
  const sampleStarts = new Int32Array(queries.length);
  let sampleCount = 0;
  for (let i = 0; i < queries.length; i++) {
    sampleStarts[i] = sampleCount;
    sampleCount += sampleCounts[i]!;
  }
  const labels = new Uint8Array(sampleCount);
  queries.forEach((query, i) => {
    labels.set(query.labels, sampleStarts[i]!);
  });
  const requests = queries.map((query) => encodeInferRequest(query, options));
  return { requests, sampleCounts, sampleStarts, labels };
}

function bytesOf({ dense, bags }: LoadQuery): number {
  return (
    dense.byteLength +
    bags.lengths.byteLength +
    bags.values.byteLength +
    (bags.weights?.byteLength ?? 0)
  );
}

import type { Model } from "../../lib/model/model-directory.js";
import type { Random } from "../../lib/random.js";
import type { LookupEngine, LookupRequest } from "../../shards/index.js";
import { type PlainPartition, poolByPlainLoop } from "./plain-pooling.js";
import { decodedTable } from "./shard-model.js";

/** Bags of random rows of random partitions, some of them weighted. */
export function randomRequest(
  engine: LookupEngine,
  sampleCount: number,
  random: Random,
): LookupRequest {
  const segmentCount = 1 + random.nextBelow(5);
  return {
    sampleCount,
    segments: Array.from({ length: segmentCount }, () => {
      const partition = random.nextBelow(engine.partitions.length);
      const { rowStart, rowEnd } = engine.partitions[partition]!.stored;
      const lengths = Uint32Array.from({ length: sampleCount }, () =>
        random.nextFloat() < 0.3 ? 0 : random.nextBelow(40),
      );
      const valueCount = sum(lengths);
      const values = Uint32Array.from({ length: valueCount }, () => {
        const draw = random.nextFloat();
        // The last row and repeats are drawn often enough to be there.
        if (draw < 0.05) return rowEnd - rowStart - 1;
        return random.nextBelow(draw < 0.3 ? Math.min(4, rowEnd - rowStart) : rowEnd - rowStart);
      });
      if (random.nextFloat() < 0.5) return { partition, lengths, values };
      const weights = Float32Array.from({ length: valueCount }, () => random.nextNormal());
      return { partition, lengths, values, weights };
    }),
  };
}

/** What a plain loop over the model makes of a request. */
export function expectedSums(
  engine: LookupEngine,
  model: Model,
  request: LookupRequest,
): Float32Array {
  const parts = request.segments.map((segment) =>
    poolByPlainLoop(segment, plainPartition(engine, model, segment.partition)),
  );
  const out = new Float32Array(sum(parts.map((part) => part.length)));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const decodedByName = new Map<string, Float32Array>();

function plainPartition(engine: LookupEngine, model: Model, number: number): PlainPartition {
  const { table, rowStart, columnStart, columnEnd } = engine.partitions[number]!.stored;
  const { embeddingDim } = model.manifest.tables.find(({ name }) => name === table)!;
  const name = `${model.hash} ${table}`;
  let decoded = decodedByName.get(name);
  if (decoded === undefined) {
    decoded = decodedTable(model, table);
    decodedByName.set(name, decoded);
  }
  return { table: decoded, embeddingDim, rowStart, columnStart, columnEnd };
}

export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

import type { JaggedBatch } from "../../../../lib/jagged-batch.js";
import { Random } from "../../../../lib/random.js";
import { encodeInferRequest } from "../../load/infer-request.js";
import { drawBatches } from "../lookup/lookup-workload.js";
import type { ServingFiles } from "./serving-files.js";

/** Queries are drawn beforehand: enough that one is not answered from the last one's cache lines. */
const QUERY_SAMPLES = 8192;
/** Row ids a warming query reads of each table. */
const WARM_ROWS = 5000;

/** Encoded queries of a size, zipf 1.05 over every table. */
export function drawQueries(files: ServingFiles, sampleCount: number, seed: number): Buffer[] {
  const { workload, model } = files;
  const { denseFeatureCount } = model.manifest;
  const random = new Random(seed, "dense features");
  const count = Math.max(8, Math.round(QUERY_SAMPLES / sampleCount));
  return drawBatches({ ...workload, sampleCount }, count, seed).map(({ segments }) => {
    const dense = Float32Array.from({ length: sampleCount * denseFeatureCount }, () =>
      random.nextNormal(),
    );
    const bagCount = segments.length * sampleCount;
    const values = new Int32Array(bagCount * workload.bagLength);
    for (const [f, segment] of segments.entries()) {
      values.set(segment.values, f * sampleCount * workload.bagLength);
    }
    const lengths = new Int32Array(bagCount).fill(workload.bagLength);
    return encode(files, dense, { featureCount: segments.length, sampleCount, lengths, values });
  });
}

/** Queries that read every row once. */
export function warmingQueries(files: ServingFiles): Buffer[] {
  const { tableCount, rowCount } = files.workload;
  const dense = new Float32Array(files.model.manifest.denseFeatureCount);
  const queries: Buffer[] = [];
  for (let start = 0; start < rowCount; start += WARM_ROWS) {
    const count = Math.min(WARM_ROWS, rowCount - start);
    const lengths = new Int32Array(tableCount).fill(count);
    const values = Int32Array.from({ length: tableCount * count }, (_, i) => start + (i % count));
    queries.push(
      encode(files, dense, { featureCount: tableCount, sampleCount: 1, lengths, values }),
    );
  }
  return queries;
}

function encode({ model }: ServingFiles, dense: Float32Array, bags: JaggedBatch): Buffer {
  const { name, version } = model.manifest;
  const { sampleCount } = bags;
  const query = { sampleCount, dense, bags, labels: new Uint8Array(sampleCount) };
  return encodeInferRequest(query, { modelName: name, modelVersion: version, timings: false });
}

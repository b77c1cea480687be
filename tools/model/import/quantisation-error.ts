import type { TableRows, TableSource } from "../../../lib/model/model-directory.js";
import { tableNamed } from "../../../lib/model/model-directory.js";
import { referencePooled } from "../../../lib/model/reference-pooled.js";
import { createDenseSession } from "../../../services/frontend/index.js";
import { drawRequests, type GoldenModel } from "../compute-golden.js";
import { readSourceRows } from "./import-tables.js";
import type { TableTensors } from "./state-names.js";

/** What storing rows in fewer bits changes in the answers, on drawn requests. */
export interface QuantisationError {
  readonly sampleCount: number;
  /** |probability of the stored rows − of the source's float32 rows|. */
  readonly probabilityMax: number;
  readonly probabilityMean: number;
}

const SAMPLE_COUNT = 512;

/** Answers the same requests with the rows as they came and as they are stored. */
export async function measureQuantisation(
  model: GoldenModel,
  stored: TableSource,
  sources: readonly TableTensors[],
  densePath: string,
): Promise<QuantisationError> {
  const { denseFeatures, batch } = drawRequests(model, SAMPLE_COUNT);
  const original = referencePooled(sourceRows(model, sources), batch);
  const quantised = referencePooled(stored, batch);
  const session = await createDenseSession(densePath, { threadCount: 1 });
  try {
    const a = await session.run(denseFeatures, original.pooled, SAMPLE_COUNT);
    const b = await session.run(denseFeatures, quantised.pooled, SAMPLE_COUNT);
    const errors = Float64Array.from(b.probability, (value, i) =>
      Math.abs(value - a.probability[i]!),
    );
    return {
      sampleCount: SAMPLE_COUNT,
      probabilityMax: errors.reduce((max, error) => Math.max(max, error), 0),
      probabilityMean: errors.reduce((sum, error) => sum + error, 0) / SAMPLE_COUNT,
    };
  } finally {
    await session.close();
  }
}

/** The source's tables as float32 rows, per-row weights folded in, read one at a time. */
function sourceRows(model: GoldenModel, sources: readonly TableTensors[]): TableSource {
  const openTable = (name: string): TableRows => {
    const source = sources.find((candidate) => candidate.name === name)!;
    const table = { ...tableNamed(model.tables, name), dtype: "float32" as const };
    const dim = table.embeddingDim;
    return {
      table,
      readRows: (rowIds, out) => {
        for (let i = 0; i < rowIds.length; i++) {
          readSourceRows(source, rowIds[i]!, out.subarray(i * dim, (i + 1) * dim));
        }
      },
      close: () => {},
    };
  };
  return { manifest: model, openTable };
}

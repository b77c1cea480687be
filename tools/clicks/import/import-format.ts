import type { ModelManifest } from "../../../lib/model/manifest.js";

/** Kinds of logs that are read. */
export const IMPORT_FORMATS = ["criteo", "parquet", "dlrm-datasets"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** One sample of a foreign log, in terms of the model it is read for. Its arrays may be used again. */
export interface ImportedSample {
  readonly label: number;
  /** `[denseFeatureCount]`. */
  readonly dense: Float32Array;
  /** Row ids of each feature, in range. */
  readonly bags: readonly (readonly number[])[];
}

/** A place in the log that holds no sample. */
export interface BadLine {
  /** Counted from 1, a header line counted too; a row number where there are no lines. */
  readonly line: number;
  readonly reason: string;
}

/** What a reader gives, sample by sample. */
export type ImportedEntry = ImportedSample | BadLine;

export function isBadLine(entry: ImportedEntry): entry is BadLine {
  return "reason" in entry;
}

/** What every reader needs to know. */
export interface ImportContext {
  readonly path: string;
  readonly manifest: ModelManifest;
  /** Rows of each feature's table, in feature order. */
  readonly rowCounts: readonly number[];
  /** Place of each feature's table among the model's tables: a value has one row a table. */
  readonly tableIndices: readonly number[];
  readonly seed: number;
  /** Told how many bytes of the file have been read. */
  readonly onBytes: (bytes: number) => void;
}

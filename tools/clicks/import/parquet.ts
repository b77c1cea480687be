import {
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { fromFileError, ShardpoolError } from "../../../lib/errors.js";
import { hashCategory, hashText } from "./hash-category.js";
import type { ImportContext, ImportedEntry } from "./import-format.js";

/** Which columns hold what; unnamed ones are found by their names. */
export interface ParquetColumns {
  /** `FEATURE=COLUMN`. */
  readonly column: readonly string[];
  readonly labelColumn: string | undefined;
  /** One list column, or one column a dense feature. */
  readonly denseColumns: readonly string[];
  /** Hash integers too; without it they are row ids. */
  readonly hash: boolean;
}

interface Mapping {
  readonly label: string;
  readonly dense: readonly string[];
  /** One a feature, in the model's order. */
  readonly features: readonly string[];
}

/**
 * Reads a Parquet file, a row a sample, a row group at a time.
 *
 * Columns are `label`; `dense` (a list) or `I1`, `I2`, …; and for each feature the column of its name, else
 * `C1`, `C2`, … in the model's order. A feature's cell is an id or a list of ids; null is an empty bag.
 * Integers are row ids as they stand, or hashed on request; text is hashed: `hashText`, `hashCategory`.
 * Dense values are taken as they are, null as 0.
 *
 * @throws ShardpoolError FILE_CORRUPT for no Parquet file, CLICKS_INVALID for columns that are not there.
 */
export async function* readParquet(
  context: ImportContext,
  columns: ParquetColumns,
): AsyncGenerator<ImportedEntry> {
  const { path, manifest } = context;
  const { file, metadata } = await openParquet(path);
  const mapping = mapColumns(context, columns, topColumns(metadata));
  const read = [mapping.label, ...mapping.dense, ...mapping.features];
  const rowCount = Number(metadata.num_rows);
  const sample = {
    label: 0,
    dense: new Float32Array(manifest.denseFeatureCount),
    bags: manifest.features.map((): number[] => []),
  };
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await readRows(path, { file, metadata, columns: read, rowStart, rowEnd });
    for (const [i, row] of rows.entries()) {
      const reason = fillSample(row, mapping, context, columns.hash, sample);
      yield reason === undefined ? sample : { line: rowStart + i + 1, reason };
    }
    rowStart = rowEnd;
    context.onBytes(Math.round((file.byteLength * rowEnd) / rowCount));
  }
}

async function openParquet(path: string) {
  try {
    const file = await asyncBufferFromFile(path);
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (error) {
    throw fromParquetError(error, path);
  }
}

async function readRows(
  path: string,
  options: Omit<Parameters<typeof parquetReadObjects>[0], "compressors">,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  try {
    return await parquetReadObjects({ ...options, compressors });
  } catch (error) {
    throw fromParquetError(error, path);
  }
}

/** hyparquet throws plain errors for whatever is wrong with a file. */
function fromParquetError(error: unknown, path: string): unknown {
  const known = fromFileError(error, path);
  if (known !== error) return known;
  return new ShardpoolError("FILE_CORRUPT", `${path} cannot be read as Parquet`, { cause: error });
}

function topColumns(metadata: FileMetaData): ReadonlySet<string> {
  return new Set(
    metadata.row_groups[0]?.columns.map(({ meta_data }) => meta_data!.path_in_schema[0]!),
  );
}

function mapColumns(
  { path, manifest }: ImportContext,
  { column, labelColumn, denseColumns }: ParquetColumns,
  present: ReadonlySet<string>,
): Mapping {
  const named = new Map(column.map((flag) => splitFlag(flag)));
  const numbered = manifest.features.map((_, i) => `C${i + 1}`);
  const isNumbered = numbered.every((name) => present.has(name));
  const features = manifest.features.map(
    ({ name }, i) => named.get(name) ?? (present.has(name) || !isNumbered ? name : numbered[i]!),
  );
  const integers = Array.from({ length: manifest.denseFeatureCount }, (_, i) => `I${i + 1}`);
  const dense =
    denseColumns.length > 0
      ? denseColumns
      : manifest.denseFeatureCount === 0
        ? []
        : present.has("dense")
          ? ["dense"]
          : integers;
  const label = labelColumn ?? "label";
  const missing = [label, ...dense, ...features].filter((name) => !present.has(name));
  if (missing.length > 0) {
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${path} has no columns ${missing.join(", ")}; it has ${[...present].join(", ")}. ` +
        "Say which with --column FEATURE=COLUMN, --label-column and --dense-columns",
    );
  }
  return { label, dense, features };
}

function splitFlag(flag: string): readonly [string, string] {
  const [, feature, name] = /^([^=]+)=(.+)$/.exec(flag) ?? [];
  if (feature !== undefined && name !== undefined) return [feature, name];
  throw new ShardpoolError("CONFIG_INVALID", `--column ${flag} must be FEATURE=COLUMN`);
}

/** @returns Why the row is no sample, or nothing. */
function fillSample(
  row: Readonly<Record<string, unknown>>,
  mapping: Mapping,
  context: ImportContext,
  hashes: boolean,
  sample: { label: number; dense: Float32Array; bags: number[][] },
): string | undefined {
  const label = Number(row[mapping.label]);
  if (label !== 0 && label !== 1)
    return `${mapping.label} ${row[mapping.label]} is neither 0 nor 1`;
  sample.label = label;
  const reason = fillDense(row, mapping.dense, sample.dense);
  if (reason !== undefined) return reason;
  for (const [f, name] of mapping.features.entries()) {
    const cell = row[name];
    const values: readonly unknown[] = Array.isArray(cell) ? cell : cell == null ? [] : [cell];
    const bag = sample.bags[f]!;
    bag.length = 0;
    for (const value of values) {
      const rowId = rowOf(value, f, context, hashes);
      if (rowId === undefined) return `${name} ${value} is no row of ${context.rowCounts[f]}`;
      bag.push(rowId);
    }
  }
  return undefined;
}

function fillDense(
  row: Readonly<Record<string, unknown>>,
  names: readonly string[],
  out: Float32Array,
): string | undefined {
  const cells = names.map((name) => row[name]);
  const values = cells.length === 1 && Array.isArray(cells[0]) ? (cells[0] as unknown[]) : cells;
  if (values.length !== out.length) return `${values.length} dense values, must be ${out.length}`;
  for (let i = 0; i < out.length; i++) {
    const value = values[i] == null ? 0 : Number(values[i]);
    if (!Number.isFinite(value)) return `dense value ${i + 1} is ${values[i]}`;
    out[i] = value;
  }
  return undefined;
}

function rowOf(
  value: unknown,
  feature: number,
  { rowCounts, tableIndices, seed }: ImportContext,
  hashes: boolean,
): number | undefined {
  const rowCount = rowCounts[feature]!;
  const tableIndex = tableIndices[feature]!;
  if (typeof value === "string") return hashCategory(hashText(value), tableIndex, seed, rowCount);
  if (typeof value !== "number" && typeof value !== "bigint") return undefined;
  const id = Number(value);
  if (!hashes) return Number.isInteger(id) && id >= 0 && id < rowCount ? id : undefined;
  const narrow = id >= 0 && id < 2 ** 32 && Number.isInteger(id) ? id : hashText(String(value));
  return hashCategory(narrow, tableIndex, seed, rowCount);
}

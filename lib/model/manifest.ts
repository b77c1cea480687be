import { z } from "zod";
import { hashJson } from "../canonical-json.js";
import { parseConfig } from "../config.js";
import { ShardpoolError } from "../errors.js";
import { DTYPES } from "./dtype.js";

/** Row ids are int32, so a table has fewer rows than this. */
export const ROW_COUNT_LIMIT = 2 ** 31;

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, "must be letters, digits, and _ . - inside")
  .max(200);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hex");

const tableSchema = z
  .strictObject({
    name,
    rowCount: z
      .int()
      .min(1)
      .max(ROW_COUNT_LIMIT - 1),
    embeddingDim: z.int().min(1).max(65536),
    dtype: z.enum(DTYPES),
    /** Label of the sub-model the table belongs to. */
    group: name.optional(),
  })
  .readonly();

const featureSchema = z
  .strictObject({
    name,
    /** Name of the table the feature's row ids point into; several features may share one. */
    table: name,
    pooling: z.enum(["sum", "mean"]),
    /** What the frontend does with a row id that is negative or not below the table's rowCount. */
    outOfRange: z.enum(["error", "default", "skip"]),
    /** The row id that stands in for one out of range; with `outOfRange: "default"` only. */
    defaultRow: z.int().min(0).optional(),
    /** Row ids a sample the model was made for, on average; what synthetic logs are drawn with. */
    poolingFactor: z.number().positive().max(100_000).optional(),
  })
  .readonly();

const manifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  name,
  version: z.string().regex(/^[1-9][0-9]*$/, "must be a whole number from 1"),
  denseFeatureCount: z.int().min(0).max(1_000_000),
  tables: z.array(tableSchema).min(1).readonly(),
  features: z.array(featureSchema).min(1).readonly(),
  /** How the dense part joins its inputs; `imported` when its graph came from elsewhere. */
  interaction: z.enum(["dot", "dot-itself", "cat", "dcnv2", "imported"]),
  /** How far a served probability may be from the recorded one, absolute. */
  tolerance: z.number().positive().max(1),
  /** SHA-256 and size by path inside the directory: dense.onnx, golden.npz, tables/NAME.npy. */
  files: z
    .record(z.string(), z.strictObject({ sha256, bytes: z.int().min(0) }).readonly())
    .readonly(),
});

/** `model.json`: what a model directory holds. */
export type ModelManifest = Readonly<z.output<typeof manifestSchema>>;
export type ModelTable = ModelManifest["tables"][number];
export type ModelFeature = ModelManifest["features"][number];

export const MANIFEST_FILE = "model.json";
export const DENSE_FILE = "dense.onnx";
export const GOLDEN_FILE = "golden.npz";

/** The table's file inside the model directory. */
export function tableFileOf(tableName: string): string {
  return `tables/${tableName}.npy`;
}

/**
 * Checks the contents of a `model.json`, the relations between its parts included.
 *
 * @throws ShardpoolError MODEL_INVALID, with every problem found.
 */
export function parseManifest(raw: unknown, what = MANIFEST_FILE): ModelManifest {
  const manifest = parseConfig(manifestSchema, raw, what, "MODEL_INVALID");
  const problems = [...relationProblems(manifest)];
  if (problems.length > 0)
    throw new ShardpoolError("MODEL_INVALID", `${what}: ${problems.join("; ")}`);
  return manifest;
}

function* relationProblems(manifest: ModelManifest): Generator<string> {
  const tables = new Map(manifest.tables.map((table) => [table.name, table]));
  if (tables.size < manifest.tables.length) yield "tables: two tables have one name";
  const features = new Set(manifest.features.map((feature) => feature.name));
  if (features.size < manifest.features.length) yield "features: two features have one name";
  for (const feature of manifest.features) {
    const table = tables.get(feature.table);
    if (table === undefined) {
      yield `feature ${feature.name}: no table ${feature.table}`;
      continue;
    }
    if ((feature.outOfRange === "default") !== (feature.defaultRow !== undefined)) {
      yield `feature ${feature.name}: defaultRow goes with outOfRange "default"`;
    }
    if (feature.defaultRow !== undefined && feature.defaultRow >= table.rowCount) {
      yield `feature ${feature.name}: defaultRow ${feature.defaultRow} is not below rowCount ${table.rowCount}`;
    }
  }
  if (manifest.interaction.startsWith("dot")) yield* unequalDims(manifest, tables);
  const files = [
    DENSE_FILE,
    GOLDEN_FILE,
    ...manifest.tables.map((table) => tableFileOf(table.name)),
  ];
  for (const file of files) {
    if (!Object.hasOwn(manifest.files, file)) yield `files: ${file} is missing`;
  }
  // A path out of the folder is among what this refuses.
  for (const file of Object.keys(manifest.files)) {
    if (!files.includes(file)) yield `files: ${file} is not a file of a model`;
  }
}

function* unequalDims(
  manifest: ModelManifest,
  tables: ReadonlyMap<string, ModelTable>,
): Generator<string> {
  const dims = new Set(manifest.features.map((feature) => tables.get(feature.table)?.embeddingDim));
  if (dims.size > 1) {
    yield `interaction ${manifest.interaction} wants one embeddingDim, got ${[...dims].join(", ")}`;
  }
}

/**
 * SHA-256 in hex of a manifest, and so, through `files`, of every byte of the model. Keys are
 * sorted first: the hash does not depend on how the file was written.
 */
export function hashManifest(manifest: ModelManifest): string {
  return hashJson(manifest);
}

/** Width of the `pooled` input of the dense part: the features' dims, in feature order, summed. */
export function pooledWidthOf(manifest: Pick<ModelManifest, "tables" | "features">): number {
  const dims = new Map(manifest.tables.map((table) => [table.name, table.embeddingDim]));
  return manifest.features.reduce((sum, feature) => sum + dims.get(feature.table)!, 0);
}

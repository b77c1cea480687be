import { ShardpoolError } from "../../../lib/errors.js";
import { hashCategory } from "./hash-category.js";
import type { ImportContext, ImportedEntry } from "./import-format.js";
import { readLines } from "./read-lines.js";

const DENSE_COUNT = 13;
const CATEGORY_COUNT = 26;
const COUNT = /^-?\d{1,15}$/;
const CATEGORY = /^[0-9a-fA-F]{1,8}$/;

/** Where the fields of a line are. */
interface Layout {
  readonly separator: "\t" | ",";
  /** Fields before the integers; the label is the last of them. */
  readonly leadCount: number;
}

/** Kaggle's and the terabyte log's files: label, integers, categories, no header. */
const TSV: Layout = { separator: "\t", leadCount: 1 };
/** The Kaggle CSV: a header, and an id before the label. */
const CSV: Layout = { separator: ",", leadCount: 2 };
const CSV_HEADER = /^Id,Label,I1,/i;

/**
 * Reads a Criteo click log: the Kaggle and Terabyte TSV, or the Kaggle CSV with its header
 * `Id,Label,I1…I13,C1…C26`, gzip or plain.
 *
 * An integer x becomes `ln(1 + max(x, 0))`, a missing one 0; a category, 32 bits in hex, becomes the row
 * `hashCategory` says, a missing one is the category 0: as facebookresearch/dlrm prepares this log.
 *
 * @throws ShardpoolError CLICKS_INVALID when the model has not 13 dense features and 26 sparse ones.
 */
export async function* readCriteo(context: ImportContext): AsyncGenerator<ImportedEntry> {
  assertShape(context);
  const sample = {
    label: 0,
    dense: new Float32Array(DENSE_COUNT),
    bags: Array.from({ length: CATEGORY_COUNT }, () => [0]),
  };
  let layout: Layout | undefined;
  let line = 0;
  for await (const text of readLines(context.path, context.onBytes)) {
    line++;
    if (layout === undefined) {
      layout = CSV_HEADER.test(text) ? CSV : TSV;
      if (layout === CSV) continue;
    }
    const reason = fillSample(text, layout, context, sample);
    yield reason === undefined ? sample : { line, reason };
  }
}

function assertShape({ path, manifest }: ImportContext): void {
  const { denseFeatureCount, features, name } = manifest;
  if (denseFeatureCount === DENSE_COUNT && features.length === CATEGORY_COUNT) return;
  throw new ShardpoolError(
    "CLICKS_INVALID",
    `${path}: a Criteo log has ${DENSE_COUNT} integers and ${CATEGORY_COUNT} categories, ` +
      `model ${name} has ${denseFeatureCount} dense and ${features.length} sparse features`,
  );
}

/** @returns Why the line is no sample, or nothing. */
function fillSample(
  text: string,
  { separator, leadCount }: Layout,
  { rowCounts, tableIndices, seed }: ImportContext,
  sample: { label: number; dense: Float32Array; bags: number[][] },
): string | undefined {
  const fields = text.split(separator);
  const fieldCount = leadCount + DENSE_COUNT + CATEGORY_COUNT;
  if (fields.length !== fieldCount) return `${fields.length} fields, must be ${fieldCount}`;
  const label = fields[leadCount - 1]!;
  if (label !== "0" && label !== "1") return `label ${shown(label)} is neither 0 nor 1`;
  sample.label = Number(label);
  for (let i = 0; i < DENSE_COUNT; i++) {
    const field = fields[leadCount + i]!;
    if (field !== "" && !COUNT.test(field)) return `I${i + 1} ${shown(field)} is no integer`;
    sample.dense[i] = Math.log1p(Math.max(Number(field), 0));
  }
  for (let i = 0; i < CATEGORY_COUNT; i++) {
    const field = fields[leadCount + DENSE_COUNT + i]!;
    if (field !== "" && !CATEGORY.test(field)) return `C${i + 1} ${shown(field)} is not hex`;
    const value = field === "" ? 0 : Number.parseInt(field, 16);
    sample.bags[i]![0] = hashCategory(value, tableIndices[i]!, seed, rowCounts[i]!);
  }
  return undefined;
}

/** A field as an error shows it: hostile ones are long. */
function shown(field: string): string {
  return JSON.stringify(field.length > 20 ? `${field.slice(0, 20)}…` : field);
}

import {
  type DataType,
  Field,
  FixedSizeList,
  Float32,
  Int32,
  List,
  Schema,
  TimestampMillisecond,
  Uint8,
} from "apache-arrow";
import { ShardpoolError } from "../../lib/errors.js";
import type { ModelManifest } from "../../lib/model/manifest.js";

/** Column names that no feature may have. */
export const FIXED_COLUMNS = ["query", "timestampMs", "label", "dense"] as const;

/** A feature's weights stand in the column `<feature>.weights`, as long as its bags. */
export const WEIGHTS_SUFFIX = ".weights";

const FORMAT = "click-log/1";

/** What a click log says of itself, kept in the Arrow schema's metadata under `shardpool.`. */
export interface ClickLogHeader {
  /** The model the row ids belong to; an imported log may have none. */
  readonly model?: { readonly name: string; readonly version: string; readonly hash: string };
  /** How the row ids came about: a profile of `clicks synth`, or `import`. */
  readonly profile?: string;
  readonly seed?: number;
  /** Share of row reads that repeat within `windowSamples`; see row-times.ts. */
  readonly locality?: number;
  readonly windowSamples?: number;
  /** AUC of the probabilities the labels were drawn from: no prediction does better on this log. */
  readonly aucCeiling?: number;
}

/** What a log is made of. */
export interface ClickLogShape {
  readonly denseFeatureCount: number;
  readonly featureNames: readonly string[];
  readonly isWeighted: boolean;
}

/** The shape of logs for a model, without weights. */
export function clickLogShapeOf(manifest: ModelManifest): ClickLogShape {
  return {
    denseFeatureCount: manifest.denseFeatureCount,
    featureNames: manifest.features.map((feature) => feature.name),
    isWeighted: false,
  };
}

/**
 * The Arrow schema of a click log: `query` int32, `timestampMs` timestamp[ms], `label` uint8,
 * `dense` fixed-size list of float32 (left out when its width is 0), then for each feature a list of
 * int32 row ids and, in a weighted log, a list of float32.
 *
 * @throws ShardpoolError CLICKS_INVALID when a feature has the name of another column.
 */
export function createClickLogSchema(shape: ClickLogShape, header: ClickLogHeader): Schema {
  const fields: Field[] = [
    column("query", new Int32()),
    column("timestampMs", new TimestampMillisecond()),
    column("label", new Uint8()),
  ];
  if (shape.denseFeatureCount > 0) {
    const item = column("item", new Float32());
    fields.push(column("dense", new FixedSizeList(shape.denseFeatureCount, item)));
  }
  for (const name of shape.featureNames) {
    fields.push(column(name, new List(column("item", new Int32()))));
    if (shape.isWeighted) {
      fields.push(column(`${name}${WEIGHTS_SUFFIX}`, new List(column("item", new Float32()))));
    }
  }
  refuseDoubleNames(fields);
  return new Schema(fields, headerEntries(header));
}

/** Reads back what {@link createClickLogSchema} put into the metadata; a foreign file has nothing. */
export function readClickLogHeader(schema: Schema): ClickLogHeader {
  const text = (key: string): string | undefined => schema.metadata.get(`shardpool.${key}`);
  const number = (key: string): number | undefined => {
    const value = text(key);
    return value === undefined ? undefined : Number(value);
  };
  const name = text("model.name");
  const entries = {
    model:
      name === undefined
        ? undefined
        : { name, version: text("model.version") ?? "", hash: text("model.hash") ?? "" },
    profile: text("profile"),
    seed: number("seed"),
    locality: number("locality"),
    windowSamples: number("windowSamples"),
    aucCeiling: number("aucCeiling"),
  };
  return Object.fromEntries(
    Object.entries(entries).filter(([, value]) => value !== undefined),
  ) as ClickLogHeader;
}

function column<T extends DataType>(name: string, type: T): Field<T> {
  return new Field(name, type, false);
}

function headerEntries({ model, ...rest }: ClickLogHeader): Map<string, string> {
  const entries = new Map([["shardpool.format", FORMAT]]);
  for (const [key, value] of Object.entries(model ?? {})) {
    entries.set(`shardpool.model.${key}`, value);
  }
  for (const [key, value] of Object.entries(rest)) {
    if (value !== undefined) entries.set(`shardpool.${key}`, String(value));
  }
  return entries;
}

function refuseDoubleNames(fields: readonly Field[]): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) {
      throw new ShardpoolError("CLICKS_INVALID", `a click log cannot have two columns ${name}`);
    }
    seen.add(name);
  }
}

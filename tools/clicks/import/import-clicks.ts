import { ShardpoolError } from "../../../lib/errors.js";
import type { Model } from "../../../lib/model/model-directory.js";
import { type ClickLogHeader, clickLogShapeOf, writeClickLog } from "../click-log.js";
import {
  type BadLine,
  type ImportContext,
  type ImportedEntry,
  isBadLine,
} from "./import-format.js";
import { SampleBuffer } from "./sample-buffer.js";

export interface ImportClicksOptions {
  readonly out: string;
  readonly seed: number;
  readonly badLinesMax: number;
  /** Ends after so many samples. */
  readonly samplesMax: number | undefined;
}

export interface ImportedClicks {
  readonly sampleCount: number;
  readonly queryCount: number;
  readonly rowIdCount: number;
  readonly clickCount: number;
  readonly badLineCount: number;
  /** The first of them. */
  readonly badLines: readonly BadLine[];
}

const BAD_LINES_SHOWN = 10;

/** What every reader is told about the model. */
export function importContextOf(
  path: string,
  { manifest }: Model,
  seed: number,
  onBytes: (bytes: number) => void,
): ImportContext {
  const places = manifest.features.map((feature) =>
    manifest.tables.findIndex(({ name }) => name === feature.table),
  );
  return {
    ...{ path, manifest, seed, onBytes, tableIndices: places },
    rowCounts: places.map((place) => manifest.tables[place]!.rowCount),
  };
}

/**
 * Writes what a reader gives as a click log, whole or not at all, in bounded memory. Lines that hold no
 * sample are counted and left out.
 *
 * @throws ShardpoolError CLICKS_INVALID when more of them than `badLinesMax` come, with the first ones, or
 * when there is no sample; and what the reader throws.
 */
export async function importClicks(
  entries: AsyncIterable<ImportedEntry>,
  model: Model,
  options: ImportClicksOptions,
): Promise<ImportedClicks> {
  const { manifest, hash } = model;
  const { name, version } = manifest;
  const header: ClickLogHeader = { model: { name, version, hash }, profile: "import" };
  const tally = { sampleCount: 0, rowIdCount: 0, clickCount: 0, badLineCount: 0 };
  const badLines: BadLine[] = [];
  const buffer = new SampleBuffer(
    manifest.denseFeatureCount,
    manifest.features.length,
    options.seed,
  );
  await writeClickLog(options.out, clickLogShapeOf(manifest), header, async (writer) => {
    for await (const entry of entries) {
      if (isBadLine(entry)) {
        tally.badLineCount++;
        if (badLines.length < BAD_LINES_SHOWN) badLines.push(entry);
        if (tally.badLineCount > options.badLinesMax) throw tooManyBadLines(badLines, options);
        continue;
      }
      buffer.add(entry);
      tally.sampleCount++;
      tally.clickCount += entry.label;
      for (const bag of entry.bags) tally.rowIdCount += bag.length;
      if (buffer.isFull) await writer.write(buffer.take());
      if (tally.sampleCount === options.samplesMax) break;
    }
    if (tally.sampleCount === 0) throw noSamples(badLines);
    await writer.write(buffer.take());
  });
  return { ...tally, queryCount: buffer.queryCount, badLines };
}

export function formatBadLine({ line, reason }: BadLine): string {
  return `line ${line}: ${reason}`;
}

function tooManyBadLines(
  badLines: readonly BadLine[],
  { badLinesMax }: ImportClicksOptions,
): ShardpoolError {
  return new ShardpoolError(
    "CLICKS_INVALID",
    `more than ${badLinesMax} bad lines (--bad-lines-max): ${badLines.map(formatBadLine).join("; ")}`,
  );
}

function noSamples(badLines: readonly BadLine[]): ShardpoolError {
  const shown = badLines.map(formatBadLine).join("; ");
  return new ShardpoolError("CLICKS_INVALID", `the log holds no sample${shown && `: ${shown}`}`);
}

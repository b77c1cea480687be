import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reuseHistogramOf } from "../../../lib/stats/reuse-histogram.js";
import { buildJaggedBatch, type ClickBatch } from "../../../tools/clicks/click-log.js";
import { parseClickProfile } from "../../../tools/clicks/click-profile.js";
import { type DrawClicksOptions, drawClicks } from "../../../tools/clicks/draw-clicks.js";
import {
  REUSE_PROFILES,
  reuseDeviation,
  reuseTargetOf,
} from "../../../tools/clicks/reuse-targets.js";
import { scaledMlperfTables, testManifest } from "../../support/click-models.js";

/** 20,000 rows in all: a hundredth of the demo's. */
const manifest = testManifest(scaledMlperfTables(0.0001));

function draw(profile: string, options: Partial<DrawClicksOptions> = {}): ClickBatch {
  const { clicks } = drawClicks(manifest, {
    sampleCount: 400,
    seed: 1,
    locality: 0,
    windowSamples: 20,
    ...options,
    profile: parseClickProfile(profile),
  });
  return clicks;
}

/** Reads of each row, table by table, counted the plain way. */
function countsOf(clicks: ClickBatch): Uint32Array[] {
  return clicks.features.map(({ rowIds }) => {
    const counts = new Map<number, number>();
    for (const id of rowIds) counts.set(id, (counts.get(id) ?? 0) + 1);
    return Uint32Array.from(counts.values());
  });
}

describe("drawClicks()", () => {
  for (const profile of REUSE_PROFILES) {
    for (const locality of [0, 0.6]) {
      it(`measures within two points of ${profile} at locality ${locality}`, () => {
        const found = reuseHistogramOf(countsOf(draw(profile, { locality })));

        const target = reuseTargetOf(profile);
        assert.ok(reuseDeviation(found, target) < 0.02, JSON.stringify(found));
        assert.ok(Math.abs(found.meanReuse / target.meanReuse - 1) < 0.02);
      });
    }
  }

  for (const profile of ["uniform", "zipf:1.05", "meta-2021"]) {
    it(`draws row ids inside their tables with ${profile}`, () => {
      const clicks = draw(profile);

      clicks.features.forEach(({ rowIds }, f) => {
        const { rowCount } = manifest.tables[f]!;
        assert.ok(rowIds.every((id) => id >= 0 && id < rowCount));
        assert.equal(rowIds.length, 400 * manifest.features[f]!.poolingFactor!);
      });
    });

    it(`gives the same log for the same seed with ${profile}`, () => {
      assert.deepEqual(draw(profile), draw(profile));
      assert.notDeepEqual(draw(profile, { seed: 2 }).features, draw(profile).features);
    });
  }

  it("keeps counts and changes the order with locality", () => {
    const plain = draw("zipf:1.05");
    const local = draw("zipf:1.05", { locality: 0.8 });

    const sorted = (clicks: ClickBatch): Int32Array[] =>
      clicks.features.map(({ rowIds }) => rowIds.slice().sort());
    assert.deepEqual(sorted(local), sorted(plain));
    assert.notDeepEqual(local.features[20], plain.features[20]);
  });

  it("numbers queries from 0 and lets time run", () => {
    const { queries, timestampsMs } = draw("uniform", { sampleCount: 6000 });

    assert.equal(queries[0], 0);
    assert.ok(queries.every((query, i) => i === 0 || [0, 1].includes(query - queries[i - 1]!)));
    assert.ok(timestampsMs.every((time, i) => i === 0 || time >= timestampsMs[i - 1]!));
  });

  it("deals a shared table's rows to all its features", () => {
    const shared = testManifest([{ rowCount: 1000, poolingFactor: 2 }, { rowCount: 5 }]);
    const features = shared.features.map((feature) => ({ ...feature, table: "t0" }));
    const { clicks } = drawClicks(
      { ...shared, features },
      {
        ...{ sampleCount: 500, seed: 1, locality: 0, windowSamples: 1 },
        profile: { kind: "uniform" },
      },
    );

    const bags = buildJaggedBatch(clicks, 0, 500);

    assert.equal(bags.values.length, 1500);
    assert.ok(new Set(clicks.features[0]!.rowIds).size > 500);
    assert.ok(new Set(clicks.features[1]!.rowIds).size > 300);
  });

  it("refuses too many samples for the tables, with the range that would do", () => {
    assert.throws(() => draw("meta-2021", { sampleCount: 1500 }), {
      code: "CLICKS_INVALID",
      message:
        /1500 samples cannot have the reuse of meta-2021.*this model takes \d+ to \d+ samples/,
    });
  });

  it("refuses too few samples", () => {
    assert.throws(() => draw("meta-2022", { sampleCount: 3 }), {
      code: "CLICKS_INVALID",
      message: /3 samples.*this model takes \d+ to \d+ samples/,
    });
  });

  it("names a range whose ends it takes itself", () => {
    let message = "";
    try {
      draw("meta-2021", { sampleCount: 1500 });
    } catch (error) {
      message = String(error);
    }
    const [, least, largest] = /takes (\d+) to (\d+) samples/.exec(message)!.map(Number);

    assert.equal(draw("meta-2021", { sampleCount: least! }).sampleCount, least);
    assert.equal(draw("meta-2021", { sampleCount: largest! }).sampleCount, largest);
  });

  it("says when no number of samples would do", () => {
    const tiny = testManifest([{ rowCount: 3 }]);

    assert.throws(
      () =>
        drawClicks(tiny, {
          ...{ sampleCount: 100, seed: 1, locality: 0, windowSamples: 1 },
          profile: parseClickProfile("meta-2021"),
        }),
      { code: "CLICKS_INVALID", message: /no number of samples would do/ },
    );
  });

  it("refuses a log that does not fit memory, with the limit", () => {
    assert.throws(() => draw("uniform", { sampleCount: 100_000_000 }), {
      code: "CLICKS_INVALID",
      message: /at most 500000000 are drawn at once: at most 2336448 samples/,
    });
  });
});

describe("parseClickProfile()", () => {
  it("parses what it names", () => {
    assert.deepEqual(parseClickProfile("zipf:1.05"), { kind: "zipf", exponent: 1.05 });
    assert.deepEqual(parseClickProfile("meta-2022"), { kind: "reuse", name: "meta-2022" });
  });

  for (const text of ["", "zipf", "zipf:", "zipf:0", "zipf:9", "zipf:-1", "meta-2023"]) {
    it(`refuses "${text}"`, () => {
      assert.throws(() => parseClickProfile(text), { code: "CONFIG_INVALID" });
    });
  }
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../lib/random.js";
import { accessCounterBytesOf } from "../../../lib/stats/access-counter-bytes.js";
import { AccessCounter } from "../../../shards/engine/access-counter.js";
import type { LookupRequest } from "../../../shards/engine/lookup-request.js";

describe("AccessCounter", () => {
  const rowCounts = [50, 1000];

  it("counts as a plain loop does when every lookup is counted", () => {
    const counter = new AccessCounter(rowCounts, 1);
    const lookups = drawLookups(rowCounts, 40, 7);

    for (const lookup of lookups) counter.count(lookup);

    const snapshot = counter.snapshot(false);
    assert.equal(snapshot.lookupCount, 40);
    assert.equal(snapshot.sampleCount, 80);
    for (const [partition, expected] of plainCounts(rowCounts, lookups).entries()) {
      const { readCount, counts, droppedCountMax, isFull } = snapshot.accessOf(partition);
      assert.deepEqual(spread(counts, rowCounts[partition]!), expected);
      assert.equal(readCount, sum(expected));
      assert.deepEqual([droppedCountMax, isFull], [0, false]);
    }
  });

  it("counts exactly one lookup in each run, at places that differ", () => {
    const counter = new AccessCounter([1], 16);
    const lookup = { sampleCount: 1, segments: [segmentOf(0, [0])] };
    const readCount = (): number => counter.snapshot(false).accessOf(0).readCount;
    const places: number[] = [];
    for (let run = 0; run < 64; run++) {
      for (let place = 0; place < 16; place++) {
        const before = readCount();
        counter.count(lookup);
        if (readCount() > before) places.push(place);
      }
      assert.equal(places.length, run + 1);
    }
    assert.ok(new Set(places).size > 8);
  });

  it("is unbiased: over seeds, scaled counts are what was read, within three standard errors", () => {
    const lookups = drawLookups(rowCounts, 320, 3);
    const expected = plainCounts(rowCounts, lookups)[0]!;
    const seeds = 200;
    const total = new Float64Array(expected.length);
    const squares = new Float64Array(expected.length);
    for (let seed = 0; seed < seeds; seed++) {
      const counter = new AccessCounter(rowCounts, 16, { seed });
      for (const lookup of lookups) counter.count(lookup);
      spread(counter.snapshot(false).accessOf(0).counts, 50).forEach((count, row) => {
        total[row]! += 16 * count;
        squares[row]! += (16 * count - expected[row]!) ** 2;
      });
    }
    for (let row = 0; row < expected.length; row++) {
      const standardError = Math.sqrt((15 * expected[row]!) / seeds);
      // Four, because fifty rows are looked at.
      assert.ok(
        Math.abs(total[row]! / seeds - expected[row]!) <= 4 * standardError + 1e-9,
        `row ${row}`,
      );
      // The stated error, for lookups that are alike: as if each read had been drawn by itself.
      assert.ok(squares[row]! / seeds <= 1.5 * 15 * expected[row]! + 1e-9, `row ${row}`);
    }
  });

  it("stays within its memory, and says what a count may lack", () => {
    const counter = new AccessCounter([100_000], 1, { rowsMax: 1024 });
    const lookups = drawLookups([100_000], 200, 5);

    for (const lookup of lookups) counter.count(lookup);

    const { readCount, counts, droppedCountMax } = counter.snapshot(false).accessOf(0);
    const expected = plainCounts([100_000], lookups)[0]!;
    assert.ok(counts.rowIds.length <= 128);
    assert.ok(droppedCountMax > 0);
    assert.equal(readCount, sum(expected));
    counts.rowIds.forEach((row, i) => {
      assert.ok(counts.counts[i]! <= expected[row]!);
      assert.ok(expected[row]! - counts.counts[i]! <= droppedCountMax);
    });
    assert.equal(accessCounterBytesOf(100_000, 1024), 2 * 4096);
  });

  it("goes on from 0 after a reset, and what it handed out stays", () => {
    const counter = new AccessCounter([10], 1);
    const lookup = { sampleCount: 1, segments: [segmentOf(0, [3, 3, 4])] };
    counter.count(lookup);

    const taken = counter.snapshot(true);
    counter.count(lookup);
    counter.count(lookup);

    assert.deepEqual([...taken.accessOf(0).counts.counts], [2, 1]);
    assert.deepEqual([...counter.snapshot(false).accessOf(0).counts.counts], [4, 2]);
    assert.equal(counter.snapshot(false).lookupCount, 2);
  });
});

function drawLookups(rowCounts: readonly number[], count: number, seed: number): LookupRequest[] {
  const random = new Random(seed, "lookups");
  return Array.from({ length: count }, () => ({
    sampleCount: 2,
    segments: rowCounts.map((rowCount, partition) => {
      const rows = Array.from({ length: 10 }, () => Math.floor(rowCount * random.nextFloat() ** 3));
      return segmentOf(partition, rows);
    }),
  }));
}

function segmentOf(partition: number, rows: readonly number[]) {
  const values = Uint32Array.from(rows);
  return { partition, lengths: Uint32Array.of(rows.length, 0), values };
}

function plainCounts(rowCounts: readonly number[], lookups: readonly LookupRequest[]): number[][] {
  const all = rowCounts.map((rowCount) => new Array<number>(rowCount).fill(0));
  for (const { segments } of lookups) {
    for (const { partition, values } of segments) for (const row of values) all[partition]![row]!++;
  }
  return all;
}

function spread(
  { rowIds, counts }: { rowIds: Int32Array; counts: Uint32Array },
  rowCount: number,
): number[] {
  const all = new Array<number>(rowCount).fill(0);
  rowIds.forEach((row, i) => {
    all[row] = counts[i]!;
  });
  return all;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

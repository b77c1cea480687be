import assert from "node:assert/strict";

/**
 * Area under the ROC curve: the chance that a clicked sample scores above one that was not clicked,
 * ties counting half (the rank sum of Mann and Whitney).
 *
 * @param scores `[B]`; any monotonic function of the probability gives the same.
 * @param labels `[B]`, 0 or 1.
 * @returns NaN when all labels are alike.
 */
export function areaUnderCurve(scores: Float32Array | Float64Array, labels: Uint8Array): number {
  assert.equal(scores.length, labels.length);
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let clickCount = 0;
  let clickRanks = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    let clicksInTie = 0;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) {
      clicksInTie += labels[order[end]!]!;
      end++;
    }
    // Ranks count from 1; a tie shares their mean.
    clickRanks += clicksInTie * ((start + 1 + end) / 2);
    clickCount += clicksInTie;
    start = end;
  }
  const otherCount = labels.length - clickCount;
  return (clickRanks - (clickCount * (clickCount + 1)) / 2) / (clickCount * otherCount);
}

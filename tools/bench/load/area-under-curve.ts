/**
 * Area under the ROC curve: how often a random click scores above a random non-click, ties counted
 * half. `labels` must hold a 0 and a 1.
 */
export function areaUnderCurve(scores: Float32Array, labels: Uint8Array): number {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!);
  let clickCount = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    // Equal scores share the mean of their ranks, counted from 1.
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (labels[order[i]!] !== 1) continue;
      clickCount++;
      rankSum += rank;
    }
    start = end;
  }
  const otherCount = order.length - clickCount;
  return (rankSum - (clickCount * (clickCount + 1)) / 2) / (clickCount * otherCount);
}

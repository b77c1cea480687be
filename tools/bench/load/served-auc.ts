import { areaUnderCurve } from "./area-under-curve.js";

/**
 * AUC of the probabilities served, where NaN stands for a sample that got none; `undefined` unless
 * both a click and a non-click got one.
 */
export function servedAuc(
  probabilities: Float32Array,
  labels: Uint8Array,
): { readonly auc: number; readonly sampleCount: number } | undefined {
  const answered: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    if (!Number.isNaN(probabilities[i]!)) answered.push(i);
  }
  const scores = Float32Array.from(answered, (i) => probabilities[i]!);
  const answeredLabels = Uint8Array.from(answered, (i) => labels[i]!);
  if (!answeredLabels.includes(0) || !answeredLabels.includes(1)) return undefined;
  return { auc: areaUnderCurve(scores, answeredLabels), sampleCount: answered.length };
}

import type { Random } from "../../lib/random.js";

/**
 * Where a feature's bags begin: `[sampleCount + 1]`. Bags have `poolingFactor` row ids when that is
 * whole; else the two whole numbers around it, mixed so that it is the mean.
 */
export function drawBagOffsets(
  sampleCount: number,
  poolingFactor: number,
  random: Random,
): Int32Array {
  const shortest = Math.floor(poolingFactor);
  const longerShare = poolingFactor - shortest;
  const offsets = new Int32Array(sampleCount + 1);
  for (let i = 0; i < sampleCount; i++) {
    const isLonger = longerShare > 0 && random.nextFloat() < longerShare;
    offsets[i + 1] = offsets[i]! + shortest + (isLonger ? 1 : 0);
  }
  return offsets;
}

import { interactionPairs, type LinearLayer } from "../../../lib/model/dense-weights.js";

/**
 * The first layer of a top MLP that reads dot products pair by pair of the *upper* triangle ((0,1),
 * (0,2), …, (1,2), …: TorchRec's InteractionArch), made to read them in shardpool's order of the lower
 * one ((1,0), (2,0), (2,1), …: the reference's). A product is the same either way, so only the
 * columns of the weights move.
 *
 * @param bottomWidth Columns before the products, which stay.
 */
export function fromUpperPairs(
  layer: LinearLayer,
  bottomWidth: number,
  featureCount: number,
): LinearLayer {
  const { inputWidth, outputWidth } = layer;
  const weight = layer.weight.slice();
  const vectorCount = featureCount + 1;
  for (const [position, [i, j]] of interactionPairs("dot", featureCount).entries()) {
    // Pairs (0, *) come first, then (1, *): before (j, i) lie j whole rows, and i - j - 1 of its own.
    const upper = j * vectorCount - (j * (j + 1)) / 2 + (i - j - 1);
    for (let o = 0; o < outputWidth; o++) {
      const start = o * inputWidth + bottomWidth;
      weight[start + position] = layer.weight[start + upper]!;
    }
  }
  return { ...layer, weight };
}

import { type Model, openModel } from "../../lib/model/model-directory.js";
import { assertHashesMatch, type FileCheck, verifyFiles } from "./verify-files.js";
import { type GoldenDifferences, verifyGolden } from "./verify-golden.js";

/** A model directory that is whole, and how far its golden answers are from the recorded ones. */
export interface VerifiedModel {
  readonly model: Model;
  readonly files: readonly FileCheck[];
  readonly golden: GoldenDifferences;
}

/**
 * Checks all there is of a model: hashes, sizes and shapes of its files, and its golden requests by
 * ONNX Runtime and by the oracle.
 *
 * @throws ShardpoolError HASH_MISMATCH, GOLDEN_MISMATCH, and what `openModel` throws.
 */
export async function verifyModel(dir: string): Promise<VerifiedModel> {
  const model = await openModel(dir);
  const files = await verifyFiles(model);
  assertHashesMatch(model, files);
  return { model, files, golden: await verifyGolden(model) };
}

/** Says for people what was found. */
export function printVerified({ model, files, golden }: VerifiedModel): void {
  const { name, version } = model.manifest;
  console.log(`model     ${name} version ${version} (${model.hash})`);
  console.log(`files     ${files.length}: hashes, sizes and shapes are right`);
  const oracle =
    golden.oracle === null
      ? "no oracle knows an imported graph"
      : `${golden.oracle.toExponential(1)} in the oracle`;
  console.log(
    `golden    ${golden.sampleCount} requests; probability differs by at most ${golden.onnxRuntime.toExponential(1)} in ONNX Runtime, ` +
      `${oracle}; pooled by ${golden.pooled}`,
  );
}

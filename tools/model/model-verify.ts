import { Command } from "commander";
import { openModel } from "../../lib/model/model-directory.js";
import { assertHashesMatch, verifyFiles } from "./verify-files.js";
import { verifyGolden } from "./verify-golden.js";

interface VerifyOptions {
  readonly json?: boolean;
}

/** `shardpool model verify`. */
export function modelVerifyCommand(): Command {
  return new Command("verify")
    .description("Checks a model directory: hashes and shapes of its files, golden requests.")
    .argument("<dir>", "model directory")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool model verify models/rm1")
    .action(modelVerify);
}

async function modelVerify(dir: string, options: VerifyOptions): Promise<void> {
  const model = await openModel(dir);
  const files = await verifyFiles(model);
  assertHashesMatch(model, files);
  const golden = await verifyGolden(model);
  const { name, version } = model.manifest;
  if (options.json) {
    console.log(JSON.stringify({ dir, name, version, hash: model.hash, files, golden }));
    return;
  }
  console.log(`model ${name} version ${version} (${model.hash})`);
  console.log("files     hashes, sizes and shapes are right");
  console.log(
    `golden    ${golden.sampleCount} requests; probability differs by at most ${golden.onnxRuntime.toExponential(1)} in ONNX Runtime, ` +
      `${golden.oracle === null ? "no oracle knows an imported graph" : `${golden.oracle.toExponential(1)} in the oracle`}; pooled by ${golden.pooled}`,
  );
}

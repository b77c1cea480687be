import { Command } from "commander";
import { openModel } from "../../lib/model/model-directory.js";
import { assertHashesMatch, verifyFiles } from "./verify-files.js";

interface VerifyOptions {
  readonly json?: boolean;
}

/** `shardpool model verify`. */
export function modelVerifyCommand(): Command {
  return new Command("verify")
    .description("Checks a model directory: sizes, shapes and hashes of its files.")
    .argument("<dir>", "model directory")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool model verify models/rm1")
    .action(modelVerify);
}

async function modelVerify(dir: string, options: VerifyOptions): Promise<void> {
  const model = await openModel(dir);
  const files = await verifyFiles(model);
  assertHashesMatch(model, files);
  const { name, version } = model.manifest;
  if (options.json) console.log(JSON.stringify({ dir, name, version, hash: model.hash, files }));
  else console.log(`model ${name} version ${version} (${model.hash}): files are right`);
}

import { Command } from "commander";
import { printVerified, verifyModel } from "./verify-model.js";

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
  const verified = await verifyModel(dir);
  if (!options.json) return printVerified(verified);
  const { model, files, golden } = verified;
  const { name, version } = model.manifest;
  console.log(JSON.stringify({ dir, name, version, hash: model.hash, files, golden }));
}

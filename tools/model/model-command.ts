import { Command } from "commander";
import { modelImportCommand } from "./model-import.js";
import { modelInspectCommand } from "./model-inspect.js";
import { modelQuantizeCommand } from "./model-quantize.js";
import { modelSynthCommand } from "./model-synth.js";
import { modelVerifyCommand } from "./model-verify.js";

/** `shardpool model`. */
export function modelCommand(): Command {
  return new Command("model")
    .description("Makes, imports and checks model directories.")
    .addCommand(modelSynthCommand())
    .addCommand(modelImportCommand())
    .addCommand(modelQuantizeCommand())
    .addCommand(modelInspectCommand())
    .addCommand(modelVerifyCommand());
}

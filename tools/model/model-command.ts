import { Command } from "commander";

/** `shardpool model`. */
export function modelCommand(): Command {
  return new Command("model").description("Makes, imports and checks model directories.");
}

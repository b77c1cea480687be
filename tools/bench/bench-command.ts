import { Command } from "commander";
import { benchLatencyCommand } from "./bench-latency.js";
import { benchMicroCommand } from "./bench-micro.js";
import { benchSingleProcessCommand } from "./bench-single-process.js";

/** `shardpool bench`. */
export function benchCommand(): Command {
  return new Command("bench")
    .description("Measures latency, throughput and parts.")
    .addCommand(benchLatencyCommand())
    .addCommand(benchMicroCommand())
    .addCommand(benchSingleProcessCommand());
}

import { Command } from "commander";
import { benchAbCommand } from "./bench-ab.js";
import { benchCompareCommand } from "./bench-compare.js";
import { benchGeneratorCommand } from "./bench-generator.js";
import { benchGridCommand } from "./bench-grid.js";
import { benchLatencyCommand } from "./bench-latency.js";
import { benchMicroCommand } from "./bench-micro.js";
import { benchNullServerCommand } from "./bench-null-server.js";
import { benchNullShardCommand } from "./bench-null-shard.js";
import { benchPeakCommand } from "./bench-peak.js";
import { benchSingleProcessCommand } from "./bench-single-process.js";

/** `shardpool bench`. */
export function benchCommand(): Command {
  return new Command("bench")
    .description("Measures latency, throughput and parts.")
    .addCommand(benchLatencyCommand())
    .addCommand(benchPeakCommand())
    .addCommand(benchGridCommand())
    .addCommand(benchCompareCommand())
    .addCommand(benchAbCommand())
    .addCommand(benchGeneratorCommand())
    .addCommand(benchMicroCommand())
    .addCommand(benchSingleProcessCommand())
    .addCommand(benchNullServerCommand())
    .addCommand(benchNullShardCommand());
}

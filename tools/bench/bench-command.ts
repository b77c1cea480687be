import { Command } from "commander";

/** `shardpool bench`. */
export function benchCommand(): Command {
  return new Command("bench").description("Measures latency, throughput and parts.");
}

import { join, resolve } from "node:path";
import { Command } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { fetchShardDescription, type ShardDescription } from "../../lib/rpc/describe-client.js";
import { fetchHealth, type HealthStatus } from "../../lib/rpc/health-client.js";
import { formatBytes, formatCount, formatTable } from "../cli/table.js";
import { TOPOLOGY_FILE } from "./cluster-up.js";
import { readTopology } from "./topology.js";

const ANSWER_TIMEOUT_MS = 2000;

interface ClusterStatusOptions {
  readonly dir: string;
  readonly json?: boolean;
}

interface ProcessStatus {
  readonly name: string;
  readonly pid: number;
  readonly address: string;
  readonly health: HealthStatus;
  readonly partitions?: number;
  readonly rowsRead?: number;
  /** Row reads served from memory, of all; null before the first. */
  readonly hitRatio?: number | null;
  readonly blocksRead?: number;
  readonly memoryBytesResident?: number;
  readonly cpuSeconds?: number;
}

/** `shardpool cluster status`. */
export function clusterStatusCommand(): Command {
  return new Command("status")
    .description("Shows the health and the counters of every process of a running cluster.")
    .option("--dir <dir>", "folder given to `cluster up`", "shardpool-cluster")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool cluster status --dir shardpool-cluster")
    .action(clusterStatus);
}

async function clusterStatus(options: ClusterStatusOptions): Promise<void> {
  const topology = await readTopology(join(resolve(options.dir), TOPOLOGY_FILE));
  const processes = await Promise.all([
    frontendStatus(topology.frontend),
    ...topology.shards.map(shardStatus),
  ]);
  if (options.json) console.log(JSON.stringify({ modelName: topology.modelName, processes }));
  else printStatus(topology.modelName, processes);
  const bad = processes.filter((status) => status.health !== "SERVING");
  if (bad.length > 0) {
    throw new ShardpoolError(
      "TARGET_UNAVAILABLE",
      `${bad.length} of ${processes.length} processes do not serve: ${bad.map((status) => status.name).join(", ")}`,
    );
  }
}

type Address = { readonly name: string; readonly pid: number; readonly address: string };

async function frontendStatus(frontend: Address): Promise<ProcessStatus> {
  const health = await fetchHealth(frontend.address, { timeoutMs: ANSWER_TIMEOUT_MS });
  return { ...frontend, health };
}

async function shardStatus(shard: Address): Promise<ProcessStatus> {
  const health = await fetchHealth(shard.address, { timeoutMs: ANSWER_TIMEOUT_MS });
  if (health === "UNREACHABLE") return { ...shard, health };
  const description = await fetchShardDescription(shard.address, { timeoutMs: ANSWER_TIMEOUT_MS });
  return { ...shard, health, ...summarise(description) };
}

function summarise(description: ShardDescription): Omit<ProcessStatus, keyof Address | "health"> {
  let rowsHit = 0;
  let rowsMissed = 0;
  let blocksRead = 0;
  for (const { counters } of description.partitions) {
    rowsHit += Number(counters?.rowsHit ?? 0);
    rowsMissed += Number(counters?.rowsMissed ?? 0);
    blocksRead += Number(counters?.blocksRead ?? 0);
  }
  const rowsRead = rowsHit + rowsMissed;
  return {
    partitions: description.partitions.length,
    rowsRead,
    hitRatio: rowsRead === 0 ? null : rowsHit / rowsRead,
    blocksRead,
    memoryBytesResident: Number(description.memoryBytesResident),
    cpuSeconds: Number(description.cpuUs) / 1e6,
  };
}

function printStatus(modelName: string, processes: readonly ProcessStatus[]): void {
  console.log(`model ${modelName}\n`);
  const columns = [
    { title: "process", align: "left" },
    { title: "address", align: "left" },
    { title: "health", align: "left" },
    { title: "partitions" },
    { title: "rows read" },
    { title: "hit ratio" },
    { title: "blocks read" },
    { title: "memory" },
    { title: "CPU s" },
  ] as const;
  console.log(formatTable(columns, processes.map(statusRow)));
}

function statusRow(status: ProcessStatus): string[] {
  const { hitRatio, memoryBytesResident, cpuSeconds } = status;
  return [
    status.name,
    status.address,
    status.health,
    status.partitions?.toString() ?? "",
    status.rowsRead === undefined ? "" : formatCount(status.rowsRead),
    hitRatio === undefined || hitRatio === null ? "" : hitRatio.toFixed(3),
    status.blocksRead === undefined ? "" : formatCount(status.blocksRead),
    memoryBytesResident === undefined ? "" : formatBytes(memoryBytesResident),
    cpuSeconds === undefined ? "" : cpuSeconds.toFixed(1),
  ];
}

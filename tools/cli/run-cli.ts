import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { benchCommand } from "../bench/bench-command.js";
import { clicksCommand } from "../clicks/clicks-command.js";
import { clusterCommand } from "../cluster/cluster-command.js";
import { demoCommand } from "../demo/demo-command.js";
import { frontendCommand } from "../frontend/frontend-command.js";
import { modelCommand } from "../model/model-command.js";
import { planCommand } from "../plan/plan-command.js";
import { shardCommand } from "../shard/shard-command.js";
import { EXIT_INTERRUPTED, exitOnStopSignals } from "./stop-signals.js";
import { stopWithParent } from "./stop-with-parent.js";

/** Exit code of a command line that could not be understood, as shells use it. */
const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

/**
 * Runs one command line and sets the process's exit code: 0 when it did what was asked, 1 when it
 * failed, 2 when the command line is wrong, 130 after Ctrl-C.
 */
export async function runCli(argv: readonly string[]): Promise<void> {
  exitOnStopSignals();
  stopWithParent();
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}

/** The `shardpool` command with every verb. */
export function createProgram(): Command {
  const program = new Command("shardpool")
    .description("Serves recommendation models whose embedding tables do not fit one machine.")
    .version(readVersion())
    .showHelpAfterError("(--help shows what this command takes)");
  for (const command of [
    demoCommand(),
    modelCommand(),
    clicksCommand(),
    planCommand(),
    shardCommand(),
    frontendCommand(),
    clusterCommand(),
    benchCommand(),
  ]) {
    program.addCommand(command);
  }
  throwInsteadOfExit(program);
  return program;
}

/** Commander ends the process by itself unless told otherwise, for each command apart. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) throwInsteadOfExit(inner);
}

function reportFailure(error: unknown): number {
  // Help and usage errors have been printed by then.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  // What Ctrl-C stopped is no failure that anybody needs to read of.
  if (process.exitCode === EXIT_INTERRUPTED && isCancelled(error)) return EXIT_INTERRUPTED;
  if (error instanceof ShardpoolError) console.error(`shardpool: ${error.message}`);
  else console.error(error);
  return EXIT_FAILED;
}

function isCancelled(error: unknown): boolean {
  return error instanceof ShardpoolError && error.code === "CALL_CANCELLED";
}

function readVersion(): string {
  const raw: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8"));
  return (raw as { version: string }).version;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { COMMANDS } from "./commands.js";
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
    const program = await createProgram(argv.slice(2));
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}

/** The `shardpool` command; of its verbs only the one that is asked for is more than a name and a description. */
async function createProgram([first, second]: readonly string[]): Promise<Command> {
  const program = new Command("shardpool")
    .description("Serves recommendation models whose embedding tables do not fit one machine.")
    .version(readVersion())
    .showHelpAfterError("(--help shows what this command takes)");
  // `help VERB` is help of that verb.
  const asked = first === "help" ? second : first;
  for (const { name, description, load } of COMMANDS) {
    program.addCommand(name === asked ? await load() : new Command(name).description(description));
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

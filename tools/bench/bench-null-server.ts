import { Command } from "commander";
import { serveUntilStopped } from "../cli/serve-until-stopped.js";
import { startNullServer } from "./null-server.js";

const CLOSE_GRACE_MS = 200;

/** `shardpool bench null-server`. */
export function benchNullServerCommand(): Command {
  return new Command("null-server")
    .description("Answers every query at once with zeros: the floor of a measurement.")
    .option("--grpc <addr>", "where to listen; port 0 picks a free one", "127.0.0.1:8001")
    .addHelpText("after", "\nExample:\n  shardpool bench null-server --grpc 127.0.0.1:8001")
    .action(async ({ grpc }: { readonly grpc: string }) => {
      const server = await startNullServer(grpc);
      await serveUntilStopped(
        { address: server.address, close: () => server.close(CLOSE_GRACE_MS) },
        { nullServer: true },
      );
    });
}

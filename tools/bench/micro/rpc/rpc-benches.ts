import { join } from "node:path";
import { setUpForBatches } from "../../../../lib/garbage-collection.js";
import { startServiceProcess } from "../../../cluster/service-process.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { type Exchange, exchangeContender } from "./exchange-contender.js";
import { NullShardClient } from "./null-shard-client.js";
import { RPC_CASES, RPC_COLUMN_COUNT } from "./rpc-cases.js";

const START_TIMEOUT_MS = 20_000;
const STOP_GRACE_MS = 2000;

/** What a message between frontend and shard costs beside the work it asks for. */
export const rpcStream: MicroBench = {
  name: "rpc-stream",
  summary: "lookups to a null shard over the open stream, against a call each",
  run: (context) => compare(context, "stream"),
};

/** The way not taken, kept measured. */
export const rpcUnary: MicroBench = {
  name: "rpc-unary",
  summary: "lookups to a null shard, a unary call each, against the open stream",
  run: (context) => compare(context, "unary"),
};

async function compare(context: MicroContext, subject: "stream" | "unary"): Promise<void> {
  // This process stands for a frontend, and has its settings.
  setUpForBatches();
  const shard = await startServiceProcess({
    name: "null-shard",
    args: ["bench", "null-shard", "--listen", "127.0.0.1:0", "--columns", String(RPC_COLUMN_COUNT)],
    logFile: join(context.runDir, "null-shard.log"),
    startTimeoutMs: START_TIMEOUT_MS,
  });
  const client = await NullShardClient.connect(shard.ready.address);
  try {
    // V8 compiles both ends while they exchange; what is measured is a connection that has run for a while.
    for (const rpcCase of RPC_CASES) await warm(client.streamExchange(rpcCase));
    for (const rpcCase of RPC_CASES) {
      const stream = client.streamExchange(rpcCase);
      const unary = client.unaryExchange(rpcCase);
      const correct =
        (await stream()) === rpcCase.replyBytes && (await unary()) === rpcCase.replyBytes;
      const contenders = {
        stream: exchangeContender("open stream", rpcCase, stream),
        unary: exchangeContender("grpc-js unary", rpcCase, unary),
      };
      await context.measure({
        case: rpcCase.name,
        unit: rpcCase.measures === "p50" ? "µs" : "rpc/s",
        better: rpcCase.measures === "p50" ? "lower" : "higher",
        correct,
        subject: contenders[subject],
        baseline: contenders[subject === "stream" ? "unary" : "stream"],
      });
    }
  } finally {
    client.close();
    await shard.stop(STOP_GRACE_MS);
  }
}

const WARM_COUNT = 3000;

async function warm(exchange: Exchange): Promise<void> {
  for (let i = 0; i < WARM_COUNT; i++) await exchange();
}

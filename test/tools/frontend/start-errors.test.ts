import assert from "node:assert/strict";
import { cp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ErrorCode } from "../../../lib/errors.js";
import { readJsonFile, writeJsonFile } from "../../../lib/files.js";
import { buildShardStore, type RunningShard, startShard } from "../../../shards/index.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { runCli } from "../../support/run-cli.js";
import { makePlan } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";

/** Flags of `frontend serve`; a case changes one. */
type Flags = Record<"model" | "plan" | "grpc" | "http" | "metrics", string>;

describe("frontend serve that cannot start", { concurrency: 3 }, () => {
  const folder = tempFolder();
  const flags: Flags = {
    model: join(folder, "policy-model"),
    plan: join(folder, "plan.json"),
    grpc: "127.0.0.1:0",
    http: "127.0.0.1:0",
    metrics: "127.0.0.1:0",
  };
  let taken: Server;
  let shard: RunningShard;

  before(async () => {
    const model = await writePolicyModel(folder);
    await writeJsonFile(flags.plan, policyPlan(model));
    // A shard of the same model under another plan: it lacks partitions of the first.
    const otherPlan = makePlan(model, [{ table: "a" }, { table: "b" }]);
    const out = join(folder, "shard-0.sqlite");
    await buildShardStore({ modelDir: flags.model, plan: otherPlan, shardId: "shard-0", out });
    shard = await startShard({
      storeFile: out,
      listenAddress: "127.0.0.1:0",
      logLevel: "silent",
    });
    taken = await listenSomewhere();
  });

  after(async () => {
    taken?.close();
    await shard?.close();
  });

  for (const port of ["grpc", "http", "metrics"] as const) {
    it(`says that the ${port} port is in use`, async () => {
      const address = takenAddress();
      const line = await failure({ ...flags, [port]: address });

      assertLine(line, "ADDRESS_IN_USE", `cannot listen on ${address}`);
    });
  }

  it("names a model file that is missing", async () => {
    const model = await copyOfModel("without-dense");
    await rm(join(model, "dense.onnx"));

    assertLine(await failure({ ...flags, model }), "FILE_NOT_FOUND", "dense.onnx");
  });

  it("names a model file that was changed", async () => {
    const model = await copyOfModel("changed");
    const manifest = (await readJsonFile(join(model, "model.json"))) as {
      files: Record<string, { bytes: number }>;
    };
    await writeFile(join(model, "dense.onnx"), Buffer.alloc(manifest.files["dense.onnx"]!.bytes));

    assertLine(await failure({ ...flags, model }), "HASH_MISMATCH", "dense.onnx");
  });

  it("names both models when the plan is for another", async () => {
    const model = await writePolicyModel(folder, true);

    assertLine(await failure({ ...flags, model: model.dir }), "PLAN_MISMATCH", "plan");
  });

  it("names the shard that lacks partitions of the plan", async () => {
    assertLine(await failure(flags), "PARTITION_NOT_HELD", "shard-0 at");
  });

  /** The one line that is no log. */
  async function failure({ model, plan, grpc, http, metrics }: Flags): Promise<string> {
    const { exitCode, stdout, stderr } = await runCli([
      ...["frontend", "serve", "--model", model, "--plan", plan],
      ...["--shard", `shard-0=${shard.address}`, "--shard", `shard-1=${shard.address}`],
      ...["--grpc", grpc, "--http", http, "--metrics", metrics],
    ]);
    assert.equal(exitCode, 1);
    assert.equal(stdout, "", "no ready line");
    const plain = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
    assert.equal(plain.length, 1, stderr);
    return plain[0]!;
  }

  function takenAddress(): string {
    const bound = taken.address();
    assert.ok(bound !== null && typeof bound === "object");
    return `127.0.0.1:${bound.port}`;
  }

  async function copyOfModel(name: string): Promise<string> {
    const path = join(folder, name);
    await cp(flags.model, path, { recursive: true });
    return path;
  }
});

function assertLine(line: string, code: ErrorCode, names: string): void {
  assert.ok(line.startsWith(`shardpool: [${code}] `), line);
  assert.ok(line.includes(names), line);
}

async function listenSomewhere(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

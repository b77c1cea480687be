import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { GoldenRequests } from "../../lib/model/golden.js";
import { openModel } from "../../lib/model/model-directory.js";
import type { LocalCluster } from "../../tools/cluster/local-cluster.js";
import { type ServiceProcess, startServiceProcess } from "../../tools/cluster/service-process.js";
import { InferenceClient } from "../support/inference-client.js";
import { tempFolder } from "../support/temp-folder.js";
import { makeTinyModel, startTinyCluster, type TinyModelFiles } from "../support/tiny-cluster.js";
import { waitFor } from "../support/wait-for.js";

const WORKERS = 8;
const GRACE_MS = 20_000;

describe("a rolling restart of two frontends", () => {
  const folder = tempFolder();
  let files: TinyModelFiles;
  let cluster: LocalCluster;
  let golden: GoldenRequests;
  const frontends: ServiceProcess[] = [];

  before(async () => {
    files = await makeTinyModel(folder, 2);
    golden = await (await openModel(files.modelDir)).readGolden();
    cluster = await startTinyCluster(files);
    frontends.push(cluster.frontend, await startFrontend("127.0.0.1:0", "second"));
  });

  after(async () => {
    for (const frontend of frontends) await frontend.stop(GRACE_MS);
    await cluster?.stop();
  });

  it("fails no query of a client that tries UNAVAILABLE again elsewhere", async () => {
    const clients = frontends.map(({ ready }) => new InferenceClient(ready.address));
    const load = { isOver: false, answered: 0, retried: 0 };
    const workers = Array.from({ length: WORKERS }, (_, first) => keepAsking(clients, first, load));
    const moreAnswers = async (): Promise<void> => {
      const before = load.answered;
      await waitFor("answers", () => load.answered >= before + 3 * WORKERS, GRACE_MS);
    };
    try {
      for (const [i, frontend] of frontends.entries()) {
        await moreAnswers();
        await frontend.stop(GRACE_MS);
        assert.equal(await frontend.ended, undefined, "it ended because it was asked to");
        await moreAnswers();
        frontends[i] = await startFrontend(frontend.ready.address, `again-${i}`);
      }
      await moreAnswers();
    } finally {
      load.isOver = true;
    }

    await Promise.all(workers);
    for (const client of clients) client.close();
    assert.ok(load.retried > 0, "no query met a frontend that was going");
  });

  /** Asks one frontend after the other; an answer must be right, and only UNAVAILABLE is tried again. */
  async function keepAsking(
    clients: readonly InferenceClient[],
    first: number,
    load: { readonly isOver: boolean; answered: number; retried: number },
  ): Promise<void> {
    for (let turn = first; !load.isOver; turn++) {
      try {
        const answer = await ask(clients[turn % clients.length]!);
        assertRight(answer.outputs.get("probability")!);
        load.answered++;
      } catch (error) {
        const { code } = error as ServiceError;
        if (code !== status.UNAVAILABLE) throw error;
        load.retried++;
      }
    }
  }

  function ask(client: InferenceClient) {
    const { denseFeatures: dense, batch } = golden;
    return client.infer({ modelName: files.plan.model.name, dense, batch, timeoutMs: GRACE_MS });
  }

  function assertRight(probability: Float32Array): void {
    for (const [i, expected] of golden.probability.entries()) {
      assert.ok(Math.abs(probability[i]! - expected) <= 1e-6, `sample ${i}: ${probability[i]}`);
    }
  }

  function startFrontend(grpcAddress: string, name: string): Promise<ServiceProcess> {
    return startServiceProcess({
      name: "frontend",
      args: [
        ...["frontend", "serve", "--model", files.modelDir, "--plan", files.planFile],
        ...cluster.shards.flatMap(({ name: id, ready }) => ["--shard", `${id}=${ready.address}`]),
        ...["--grpc", grpcAddress, "--http", "off", "--metrics", "off"],
      ],
      logFile: `${files.logDir}/frontend-${name}.log`,
      startTimeoutMs: 60_000,
    });
  }
});

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import type { Model } from "../../../lib/model/model-directory.js";
import type { RunningShard } from "../../../shards/index.js";
import { type HeldLine, startHeldLine } from "../../support/held-line.js";
import { writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { makePlan } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";
import { waitFor } from "../../support/wait-for.js";

const SHARD_IDS = ["shard-0", "shard-1"] as const;

describe("a partition on two shards", () => {
  const folder = tempFolder();
  const lines: HeldLine[] = [];
  let served: ServedPlan;
  let expected: Float32Array;
  let ask: () => Promise<Float32Array>;

  before(async () => {
    const model: Model = await writePolicyModel(folder);
    const partitions = ["a", "b"].map((table) => ({ table, shards: [...SHARD_IDS] }));
    const plan = makePlan(model, partitions, [...SHARD_IDS]);
    const reachAt = async (_: string, address: string): Promise<string> => {
      lines.push(await startHeldLine(address));
      return lines.at(-1)!.address;
    };
    served = await servePlan(folder, model.dir, plan, {}, {}, reachAt);
    const { denseFeatures: dense, batch } = await model.readGolden();
    ask = async () => {
      const query = { modelName: model.manifest.name, dense, batch };
      return (await served.client.infer(query)).outputs.get("probability")!;
    };
    expected = await ask();
    // It serves with one of the two; side by side, queries ask the other as soon as it is there.
    await waitFor("lookups of both shards", async () => {
      await Promise.all([ask(), ask(), ask(), ask()]);
      return served.shards.every((shard) => readsOf(shard) > 0);
    });
  });

  after(async () => {
    await served?.close();
    for (const line of lines) await line.close();
  });

  it("asks the one with less in flight, and the other for what a dead one had", async () => {
    const [slow, quick] = served.shards as [RunningShard, RunningShard];
    lines[0]!.hold();
    const slowBefore = readsOf(slow);
    // Of equals the first is asked, so this one waits for an answer that does not come.
    const held = ask();
    await waitFor("the held lookup", () => readsOf(slow) > slowBefore);
    const perQuery = readsOf(slow) - slowBefore;
    const quickBefore = readsOf(quick);

    for (let i = 0; i < 10; i++) assert.deepEqual(await ask(), expected);

    assert.equal(readsOf(slow) - slowBefore, perQuery);
    assert.equal(readsOf(quick) - quickBefore, 10 * perQuery);
    await lines[0]!.cut();
    assert.deepEqual(await held, expected);
    assert.equal(readsOf(quick) - quickBefore, 11 * perQuery);
  });

  it("is answered for by a shard that came back at its address, when the other is gone", async () => {
    await lines[1]!.cut();
    await assert.rejects(ask(), { code: status.UNAVAILABLE, message: /shard-1 at 127/ });

    await lines[0]!.mend();

    await waitFor("an answer", async () => {
      const answer = await ask().catch(() => undefined);
      if (answer !== undefined) assert.deepEqual(answer, expected);
      return answer !== undefined;
    });
  });
});

/** Rows of the first partition that a shard has looked up. */
function readsOf({ engine }: RunningShard): number {
  const { rowsHit, rowsMissed } = engine.counters(0);
  return Number(rowsHit) + Number(rowsMissed);
}

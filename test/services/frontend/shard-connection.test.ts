import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ShardpoolError } from "../../../lib/errors.js";
import { type LookupBody, ShardConnection } from "../../../services/frontend/shard-connection.js";
import type { LookupReply } from "../../../services/frontend/shard-wire.js";
import { NULL_MODEL_HASH, startNullShard } from "../../../shards/index.js";
import { startServiceProcess } from "../../../tools/cluster/service-process.js";
import { HELD_MODEL_HASH, type HeldShard, startHeldShard } from "../../support/held-shard.js";
import { tempFolder } from "../../support/temp-folder.js";
import { waitFor } from "../../support/wait-for.js";

const NO_BYTES = new Uint8Array(0);

describe("ShardConnection", () => {
  let shard: HeldShard;

  before(async () => {
    shard = await startHeldShard();
  });

  after(() => shard.close());

  it("gives each lookup its own answer, in whatever order they come", async () => {
    await using held = await openTo(shard);
    const replies = [0, 1, 2].map(() => ask(held.connection).reply);
    const [first, second, third] = await held.arrive(3);

    third!.answer(Buffer.from("third"));
    first!.answer(Buffer.from("first"));
    second!.answer(Buffer.from("second"));

    const texts = (await Promise.all(replies)).map(({ pooled }) => Buffer.from(pooled).toString());
    assert.deepEqual(texts, ["first", "second", "third"]);
    assert.equal(held.connection.inFlightCount, 0);
  });

  it("fails one lookup by the shard's own code, and no other", async () => {
    await using held = await openTo(shard);
    const bad = ask(held.connection).reply;
    const good = ask(held.connection).reply;
    const [first, second] = await held.arrive(2);

    first!.fail(new ShardpoolError("BLOCK_CORRUPT", "block 7"));
    second!.answer();

    await assert.rejects(bad, { code: "BLOCK_CORRUPT", message: /held at .*block 7/ });
    await good;
  });

  it("tells the shard of a lookup that nobody waits for, and its answer is dropped", async () => {
    await using held = await openTo(shard);
    const { abandon } = ask(held.connection);
    const [lookup] = await held.arrive(1);

    abandon();

    await waitFor("the cancellation", () => lookup!.signal.aborted);
    assert.equal(held.connection.inFlightCount, 0);
    lookup!.answer();
    const next = ask(held.connection).reply;
    (await held.arrive(1))[0]!.answer(Buffer.from("next"));
    assert.equal(Buffer.from((await next).pooled).toString(), "next");
  });

  it("fails what is in flight when the stream ends, by name, and tells the shard to stop", async () => {
    await using held = await openTo(shard);
    const replies = [0, 1].map(() => ask(held.connection).reply);
    const lookups = await held.arrive(2);

    shard.endStreams();

    for (const reply of replies) {
      await assert.rejects(reply, { code: "SHARD_UNAVAILABLE", message: /held at 127/ });
    }
    const error = await held.connection.ended;
    assert.equal(error.code, "SHARD_UNAVAILABLE");
    await waitFor("the shard to give up", () => lookups.every(({ signal }) => signal.aborted));
    await assert.rejects(ask(held.connection).reply, { code: "SHARD_UNAVAILABLE" });
  });

  it("does not lock up when both ends have more to say than a socket holds", async () => {
    const address = `unix:${join(tempFolderPath, "large.sock")}`;
    const large = await startNullShard({ listenAddress: address, columnCount: 256 });
    const connection = await openNull(address);
    try {
      const body = { ...emptyBody(), sampleCount: 1024, segments: [segmentOf(1024 * 1024)] };
      const replies = Array.from({ length: 16 }, () => ask(connection, body).reply);
      for (const { pooled } of await Promise.all(replies)) {
        assert.equal(pooled.length, 1024 * 256 * 4);
      }
    } finally {
      connection.close();
      await large.close();
    }
  });

  it("notices a process that is stopped", async () => {
    const child = await startServiceProcess({
      name: "null-shard",
      args: ["bench", "null-shard", "--listen", "127.0.0.1:0"],
      logFile: join(tempFolderPath, "null-shard.log"),
      startTimeoutMs: 30_000,
    });
    const connection = await openNull(child.ready.address);
    try {
      await ask(connection, { ...emptyBody(), segments: [segmentOf(8)] }).reply;
      process.kill(child.pid, "SIGSTOP");
      const reply = ask(connection, { ...emptyBody(), segments: [segmentOf(8)] }).reply;
      await assert.rejects(reply, { code: "SHARD_UNAVAILABLE", message: /no sign of life/ });
    } finally {
      process.kill(child.pid, "SIGCONT");
      connection.close();
      await child.stop(5000);
    }
  });

  const tempFolderPath = tempFolder();
});

/** Messages of a quarter of a megabyte and answers of a whole one, say, by the count of values. */
function segmentOf(valueBytes: number): LookupBody["segments"][number] {
  const lengths = new Uint8Array(4);
  return { partition: 0, lengths, values: new Uint8Array(valueBytes), weights: NO_BYTES };
}

function emptyBody(): LookupBody {
  return {
    ...{ timeoutUs: 60_000_000, sampleCount: 1, segments: [] },
    ...{ float16Reply: false, traceparent: "" },
  };
}

/** A lookup as a promise; its sums are copied, as they last no longer than the callback. */
function ask(
  connection: ShardConnection,
  body = emptyBody(),
): { readonly reply: Promise<LookupReply>; abandon(): void } {
  let abandon: () => void = () => {};
  const reply = new Promise<LookupReply>((resolve, reject) => {
    const onReply = (reply: LookupReply): void =>
      resolve({ ...reply, pooled: Uint8Array.from(reply.pooled) });
    abandon = connection.lookup(body, { onReply, onError: reject });
  });
  return { reply, abandon };
}

function openNull(address: string): Promise<ShardConnection> {
  return ShardConnection.open(
    {
      ...{ shardId: "null", address, modelHash: NULL_MODEL_HASH, partitions: [] },
      ...{ messageBytesMax: 1 << 28, sampleCountMax: 1 },
    },
    10_000,
  );
}

async function openTo(shard: HeldShard) {
  const connection = await ShardConnection.open(
    {
      ...{ shardId: "held", address: shard.address, modelHash: HELD_MODEL_HASH, partitions: [] },
      ...{ messageBytesMax: 1 << 24, sampleCountMax: 1 },
    },
    10_000,
  );
  let seen = shard.lookups.length;
  return {
    connection,
    /** The next lookups to come, once they have. */
    arrive: async (count: number) => {
      await waitFor(`${count} lookups`, () => shard.lookups.length >= seen + count);
      seen += count;
      return shard.lookups.slice(seen - count, seen);
    },
    [Symbol.asyncDispose]: async () => connection.close(),
  };
}

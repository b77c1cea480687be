import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import type { Model } from "../../../lib/model/model-directory.js";
import {
  buildShardStore,
  type LookupEngine,
  type LookupEngineOptions,
  type LookupRequest,
  openLookupEngine,
} from "../../../shards/index.js";
import { poolByPlainLoop } from "../../support/plain-pooling.js";
import { decodedTable, makePlan, makeShardModel } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";
import { waitFor } from "../../support/wait-for.js";

const ROW_COUNT = 6000;
const EMBEDDING_DIM = 64;
/** 200 blocks or so, of which no cache below holds more than a few. */
const FEW_BLOCKS_BYTES = 40_000;

const FAILING_THREAD = threadFile("failing-reader-thread.js");
const SILENT_THREAD = threadFile("silent-reader-thread.js");

describe("block reads", () => {
  it("answers from reader threads with a cache of one block and batches that miss more", async () => {
    const { storePath, model, ...store } = await makeStore();
    for (const mapsStore of [true, false]) {
      const cacheBytes = store.blockBytes;
      const engine = await openWithReaders(storePath, { cacheBytes, mapsStore, readerCount: 2 });
      try {
        const requests = [5, 7, 11, 13].map((step) => strideRequest(step, 400));
        const replies = await Promise.all(requests.map((request) => engine.lookup(request)));

        replies.forEach(({ pooled }, i) => {
          assert.deepEqual(pooled, expected(model, requests[i]!));
        });
        assert.ok(engine.counters(0).cacheBytesResident <= cacheBytes);
      } finally {
        engine.close();
      }
    }
  });

  it("reads a block once for all lookups that wait for it", async () => {
    const { storePath } = await makeStore();
    const engine = await openWithReaders(storePath, { cacheBytes: 0 });
    try {
      const before = engine.counters(0).blocksRead;

      const request = strideRequest(97, 60);
      const replies = await Promise.all([0, 1, 2].map(() => engine.lookup(request)));

      assert.equal(engine.counters(0).blocksRead - before, replies[0]!.blocksRead);
    } finally {
      engine.close();
    }
  });

  it("answers a lookup whose blocks came while it waited for its turn, without reading them again", async () => {
    const { storePath, model } = await makeStore();
    const engine = openLookupEngine({
      ...{ storePath, limits: { waitingMax: 1 }, readerCount: 0, admission: "all" },
    });
    try {
      const request = strideRequest(97, 60);
      const replies = await Promise.all([0, 1, 2].map(() => engine.lookup(request)));

      for (const { pooled } of replies) assert.deepEqual(pooled, expected(model, request));
      assert.equal(engine.counters(0).blocksRead, replies[0]!.blocksRead);
      assert.equal(engine.counters(0).cacheBytesResident, replies[0]!.blocksRead * 8192);
    } finally {
      engine.close();
    }
  });

  it("reads few blocks at once, before it lets others have a turn", async () => {
    const { storePath, model } = await makeStore();
    corruptBlock(storePath, 20);
    const engine = openLookupEngine({ storePath, cacheBytes: 0 });
    try {
      const request = rowsRequest(Uint32Array.of(0, 1, 500, 0));
      const lookup = engine.lookup(request);

      assert.equal(engine.counters(0).blocksRead, 2);
      const { pooled, rowsMissed, blocksRead } = await lookup;
      assert.deepEqual(pooled, expected(model, request));
      assert.deepEqual([rowsMissed, blocksRead], [4, 2]);
      await assert.rejects(engine.lookup(rowsRequest(Uint32Array.of(20 * 32))), {
        code: "BLOCK_CORRUPT",
      });
      const late = engine.lookup({ ...request, deadlineAtMs: performance.now() - 1 });
      await assert.rejects(late, { code: "DEADLINE_EXCEEDED" });
    } finally {
      engine.close();
    }
  });

  it("fails the lookups that need a corrupt block, and no others", async () => {
    const { storePath, model } = await makeStore();
    corruptBlock(storePath, 20);
    const engine = await openWithReaders(storePath, { cacheBytes: FEW_BLOCKS_BYTES });
    try {
      const whole = rowsRequest(Uint32Array.from({ length: ROW_COUNT / 3 }, (_, i) => 3 * i));
      const sound = rowsRequest(Uint32Array.from({ length: 300 }, (_, i) => i));

      const [bad, good] = await Promise.allSettled([engine.lookup(whole), engine.lookup(sound)]);

      assert.equal(bad.status === "rejected" && bad.reason.code, "BLOCK_CORRUPT");
      assert.deepEqual(good.status === "fulfilled" && good.value.pooled, expected(model, sound));
      await assert.rejects(engine.lookup(whole), { code: "BLOCK_CORRUPT" });
      assert.deepEqual((await engine.lookup(sound)).pooled, expected(model, sound));
    } finally {
      engine.close();
    }
  });

  it("fails what a reader was at when it ended, and reads on without it", async () => {
    const { storePath, model } = await makeStore();
    const engine = await openWithReaders(storePath, {
      ...{ cacheBytes: 0, readerThread: FAILING_THREAD, readerCount: 1 },
    });
    try {
      const request = strideRequest(31, 150);
      const codes = new Set<unknown>();
      // Each reader ends at its first chunk; when too many have, this thread reads.
      await waitFor("reading without readers", async () => {
        const outcome = await engine.lookup(request).catch((error: unknown) => error);
        if (outcome instanceof Error && "code" in outcome) codes.add(outcome.code);
        return codes.size > 0 && !(outcome instanceof Error);
      });

      assert.deepEqual([...codes], ["READER_FAILED"]);
      for (let i = 0; i < 30; i++) await engine.lookup(request).catch(() => {});
      await waitFor("an answer", async () => {
        const reply = await engine.lookup(request).catch(() => undefined);
        if (reply === undefined) return false;
        assert.deepEqual(reply.pooled, expected(model, request));
        return true;
      });
    } finally {
      engine.close();
    }
  });

  it("keeps pinned rows whatever else is read", async () => {
    const { storePath, model, blockBytes } = await makeStore();
    const cacheBytes = 6 * blockBytes;
    const plan = makePlan(model, [{ table: "t0", cacheBytes, pinnedRows: 100 }]);
    for (const admission of ["all", "second-touch", "tiny-lfu"] as const) {
      const engine = openLookupEngine({ storePath, plan, admission, readerCount: 0 });
      try {
        await engine.preload();
        for (let i = 0; i < 3; i++) await engine.lookup(strideRequest(31, 500));

        const reply = await engine.lookup(
          rowsRequest(Uint32Array.from({ length: 100 }, (_, i) => i)),
        );

        assert.equal(reply.rowsHit, 100);
        assert.ok(engine.counters(0).cacheBytesResident <= cacheBytes);
      } finally {
        engine.close();
      }
    }
  });

  it("counts what came in, what was kept out and what left", async () => {
    const { storePath, blockBytes } = await makeStore();
    const engine = openLookupEngine({
      ...{ storePath, cacheBytes: 4 * blockBytes, admission: "second-touch", readerCount: 0 },
    });
    try {
      await engine.lookup(strideRequest(31, 200));
      const { blocksRead, blocksRefused, blocksEvicted } = engine.counters(0);

      assert.ok(blocksRefused > 0);
      assert.equal(blocksRead - blocksRefused - blocksEvicted, 4);
    } finally {
      engine.close();
    }
  });

  it("reads along with readers unless lookups come while others wait", async () => {
    const { storePath } = await makeStore();
    // Each look at the clock takes 10 us of its time: a block read seems to take some 5.
    let nowMs = 0;
    let passesMs = 0.01;
    const clock = { nowMs: () => (nowMs += passesMs), wallMs: () => 0 };
    const engine = openLookupEngine({
      ...{ storePath, cacheBytes: 0, readerThread: SILENT_THREAD, readerCount: 1, clock },
    });
    const start = (firstRow: number, step: number): void => {
      const values = Uint32Array.from({ length: 299 }, (_, i) => firstRow + i * step);
      engine.lookup(rowsRequest(values)).catch(() => {});
    };
    try {
      await waitFor("a reader", () => {
        if (engine.openReaderCount === 0) start(0, 20);
        return engine.openReaderCount > 0;
      });

      // From here on somebody waits, as the reader never answers.
      passesMs = 0;
      start(3000, 10);
      const before = engine.counters(0).blocksRead;
      start(3001, 10);
      assert.equal(engine.counters(0).blocksRead, before);

      nowMs += 10;
      start(3002, 10);
      assert.equal(engine.counters(0).blocksRead, before);

      // Long after anything this process may have read from the disk.
      nowMs += 1000;
      passesMs = 10;
      start(3003, 10);
      assert.ok(engine.counters(0).blocksRead > before);
    } finally {
      engine.close();
    }
  });

  it("gives up at the deadline, and when the caller goes, while the disk hangs", async () => {
    const { storePath } = await makeStore();
    const engine = await openWithReaders(storePath, {
      ...{ cacheBytes: FEW_BLOCKS_BYTES, readerThread: SILENT_THREAD },
    });
    try {
      const request = strideRequest(31, 150);
      const controller = new AbortController();

      const late = engine.lookup({ ...request, deadlineAtMs: performance.now() + 20 });
      const gone = engine.lookup({ ...request, signal: controller.signal });
      controller.abort();

      await assert.rejects(gone, { code: "CALL_CANCELLED" });
      await assert.rejects(late, { code: "DEADLINE_EXCEEDED" });
    } finally {
      engine.close();
    }
  });

  it("refuses what waits for blocks when it is closed", async () => {
    const { storePath } = await makeStore();
    const engine = await openWithReaders(storePath, {
      ...{ cacheBytes: 0, readerThread: SILENT_THREAD },
    });
    const lookups = [31, 37].map((step) => engine.lookup(strideRequest(step, 150)));

    engine.close();

    for (const lookup of lookups) await assert.rejects(lookup, { code: "SERVER_DRAINING" });
    await assert.rejects(engine.lookup(strideRequest(31, 150)), { code: "SERVER_DRAINING" });
  });
});

function threadFile(name: string): URL {
  return pathToFileURL(join(import.meta.dirname, "../../support", name));
}

interface TestStore {
  readonly storePath: string;
  readonly model: Model;
  readonly blockBytes: number;
}

async function makeStore(): Promise<TestStore> {
  const dir = tempFolder();
  const model = await makeShardModel(dir, [{ rowCount: ROW_COUNT, embeddingDim: EMBEDDING_DIM }]);
  const storePath = join(dir, "store");
  const plan = makePlan(model, [{ table: "t0" }]);
  await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", out: storePath });
  const engine = openLookupEngine({ storePath });
  const { rowsPerBlock, rowBytes } = engine.partitions[0]!.stored;
  engine.close();
  return { storePath, model, blockBytes: rowsPerBlock * rowBytes };
}

/** An engine whose first reader is open; the lookups that start it read rows 0 to 299 over. */
async function openWithReaders(
  storePath: string,
  options: Partial<LookupEngineOptions>,
): Promise<LookupEngine> {
  const engine = openLookupEngine({ storePath, ...options });
  const wake = rowsRequest(Uint32Array.from({ length: 300 }, (_, i) => i * 20));
  await waitFor("a reader", async () => {
    // A silent reader may open while the lookup waits, and would then have it wait for ever.
    const deadlineAtMs = performance.now() + 100;
    if (engine.openReaderCount === 0)
      await engine.lookup({ ...wake, deadlineAtMs }).catch(() => {});
    return engine.openReaderCount > 0;
  });
  return engine;
}

/** `count` rows, `step` apart, a bag each. */
function strideRequest(step: number, count: number): LookupRequest {
  return rowsRequest(Uint32Array.from({ length: count }, (_, i) => (i * step * 7) % ROW_COUNT));
}

function rowsRequest(values: Uint32Array): LookupRequest {
  const lengths = new Uint32Array(values.length).fill(1);
  return { sampleCount: values.length, segments: [{ partition: 0, lengths, values }] };
}

function expected(model: Model, { segments }: LookupRequest): Float32Array {
  const whole = { rowStart: 0, columnStart: 0, columnEnd: EMBEDDING_DIM };
  const table = decodedTable(model, "t0");
  return poolByPlainLoop(segments[0]!, { table, embeddingDim: EMBEDDING_DIM, ...whole });
}

function corruptBlock(storePath: string, id: number): void {
  const db = new Database(storePath);
  try {
    const select = db.prepare("SELECT bytes FROM blocks WHERE id = ?").pluck();
    const bytes = select.get(id) as Buffer;
    bytes[3]! ^= 1;
    db.prepare("UPDATE blocks SET bytes = ? WHERE id = ?").run(bytes, id);
  } finally {
    db.close();
  }
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";

const schema = z.strictObject({
  cacheBytesMax: z.int().min(1),
  readers: z.int().min(0).max(16).default(2),
  inner: z.strictObject({ timeoutMs: z.number().positive() }).optional(),
});

function problemsOf(raw: unknown): string {
  try {
    parseConfig(schema, raw, "shard config");
  } catch (error) {
    assert.ok(error instanceof ShardpoolError);
    assert.equal(error.code, "CONFIG_INVALID");
    return error.detail;
  }
  throw new Error("parsed");
}

describe("parseConfig()", () => {
  it("returns a complete, frozen config", () => {
    const config = parseConfig(schema, { cacheBytesMax: 5 }, "shard config");

    assert.deepEqual(config, { cacheBytesMax: 5, readers: 2 });
    assert.ok(Object.isFrozen(config));
  });

  it("refuses an unknown key and names the near one", () => {
    const problems = problemsOf({ cacheBytesMax: 5, cacheByteMax: 5 });

    assert.match(problems, /unknown key cacheByteMax, did you mean cacheBytesMax\?/);
  });

  it("names the near key inside a nested object", () => {
    const problems = problemsOf({ cacheBytesMax: 5, inner: { timeoutMs: 1, timeoutS: 1 } });

    assert.match(problems, /unknown key inner\.timeoutS, did you mean timeoutMs\?/);
  });

  it("lists all problems at once, each with its value and limit", () => {
    const problems = problemsOf({ cacheBytesMax: 0, readers: 17, other: true });

    assert.match(problems, /cacheBytesMax: .*1.*\(got 0\)/);
    assert.match(problems, /readers: .*16.*\(got 17\)/);
    assert.match(problems, /unknown key other/);
  });

  it("says which config is meant", () => {
    assert.match(problemsOf(null), /^shard config: /);
  });

  it("shows no value beside a rule about several keys", () => {
    const schema = z
      .strictObject({ low: z.int(), high: z.int() })
      .refine(({ low, high }) => low < high, { path: ["low"], error: "low must be below high" });

    assert.throws(() => parseConfig(schema, { low: 3, high: 2 }, "limits"), {
      message: /limits: low: low must be below high$/,
    });
  });
});

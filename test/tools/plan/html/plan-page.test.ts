import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makePlan } from "../../../../services/planner/make-plan.js";
import { planPage } from "../../../../tools/plan/html/plan-page.js";
import { escapeXml } from "../../../../tools/plan/html/svg.js";
import { equalShards, planManifest } from "../../../support/plan-cases.js";

const plan = makePlan({
  manifest: planManifest([
    { name: "busy", rowCount: 1000, poolingFactors: [40] },
    { name: "large", rowCount: 90_000, poolingFactors: [1] },
    { name: "unread", rowCount: 10, poolingFactors: [] },
  ]),
  modelHash: "a".repeat(64),
  stats: null,
  shards: equalShards(3),
  memory: { kind: "fraction", fraction: 0.3 },
  strategy: "cost",
  epoch: 7,
});
const page = planPage(plan);

describe("planPage()", () => {
  it("needs nothing beside itself", () => {
    const withoutNamespace = page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");

    assert.doesNotMatch(withoutNamespace, /https?:|<script|<link|<img|src=|url\(|@import/);
  });

  it("draws every shard and every table, and says what a rectangle is", () => {
    for (const shard of ["shard-0", "shard-1", "shard-2"])
      assert.ok(page.includes(`>${shard}</text>`));
    for (const table of ["busy", "large", "unread"]) assert.ok(page.includes(`<td>${table}</td>`));
    assert.match(page, /<title>large rows \d+-\d+ columns \d+-\d+/);
    assert.match(page, /bound [\d,.]+ µs<\/text>/);
  });

  it("warns of shards whose block reads break the latency bound", () => {
    assert.doesNotMatch(page, /class="warning"/);
    assert.match(
      planPage(plan, { latencyBoundMs: 1e-6 }),
      /<p class="warning">warning: block reads/,
    );
  });

  it("draws no rectangle with a size that is none", () => {
    assert.doesNotMatch(page, /NaN|Infinity|(width|height)="-/);
  });

  it("closes what it opens", () => {
    for (const tag of ["rect", "text", "svg", "figure", "table", "tr", "td", "div", "title"]) {
      const opened = page.match(new RegExp(`<${tag}[ >]`, "g"))?.length ?? 0;
      const closed = page.match(new RegExp(`</${tag}>`, "g"))?.length ?? 0;
      assert.equal(opened, closed, tag);
    }
  });
});

describe("escapeXml()", () => {
  it("leaves nothing that a page could take for markup", () => {
    assert.equal(escapeXml(`<a b="c" d='e'>&`), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
  });
});

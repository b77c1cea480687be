import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CoAccessCounter } from "../../../lib/stats/co-access-counter.js";

const TABLES = ["a", "b", "c", "d", "e"];

describe("CoAccessCounter", () => {
  it("counts pairs as a look at every query does, wide queries and narrow ones", () => {
    const query = fc.array(fc.boolean(), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(query, { minLength: 1, maxLength: 40 }), (queries) => {
        const counter = new CoAccessCounter(TABLES);
        for (const reads of queries) counter.addQuery(Uint8Array.from(reads, Number));

        const { pairs, unlistedDeviationMax } = counter.result()!;
        const listed = new Map(pairs.map((pair) => [pair.tables.join(), pair.queryCount]));
        const share = (t: number) => queries.filter((reads) => reads[t]).length / queries.length;
        for (let a = 0; a < 5; a++) {
          assert.equal(counter.queriesOf(a), queries.filter((reads) => reads[a]).length);
          for (let b = a + 1; b < 5; b++) {
            const both = queries.filter((reads) => reads[a] && reads[b]).length;
            const found = listed.get(`${TABLES[a]},${TABLES[b]}`);
            const deviation = Math.abs(both / queries.length - share(a) * share(b));
            if (found === undefined) assert.ok(deviation <= unlistedDeviationMax + 1e-12);
            else assert.equal(found, both);
          }
        }
      }),
    );
  });

  it("lists no pair where every query reads every table", () => {
    const counter = new CoAccessCounter(TABLES);
    for (let i = 0; i < 10; i++) counter.addQuery(new Uint8Array(5).fill(1));

    assert.deepEqual(counter.result(), { pairs: [], unlistedDeviationMax: 0 });
    assert.equal(counter.queryCount, 10);
  });

  it("lists first what chance explains least", () => {
    const counter = new CoAccessCounter(TABLES);
    for (let i = 0; i < 100; i++) {
      counter.addQuery(Uint8Array.of(i % 2, i % 2, Number(i % 10 < 4), 1, 1));
    }

    assert.deepEqual(counter.result()?.pairs[0], { tables: ["a", "b"], queryCount: 50 });
  });

  it("knows nothing without queries", () => {
    assert.equal(new CoAccessCounter(TABLES).result(), null);
  });
});

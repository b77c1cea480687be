import { formatTable } from "../../cli/table.js";
import { formatMs, formatPercent, formatRate } from "./format-numbers.js";
import type { GeneratorTest } from "./latency-result.js";

/** A test of the generator as text for people. */
export function formatGeneratorReport(test: GeneratorTest): string {
  const { floorMs, qpsHeld, qpsWanted, steps } = test;
  const table = formatTable(
    [
      { title: "offered/s" },
      { title: "achieved/s" },
      { title: "p50 ms" },
      { title: "p99 ms" },
      { title: "sent late, p99 ms" },
      { title: "client CPU" },
      { title: "", align: "left" },
    ],
    steps.map((step) => [
      step.offeredQps.toFixed(0),
      step.achievedQps.toFixed(1),
      formatMs(step.latencyMs.p50),
      formatMs(step.latencyMs.p99),
      formatMs(step.lagP99Ms),
      formatPercent(step.clientCpuShare),
      step.held ? "held" : "not held",
    ]),
  );
  const head = [
    "The generator alone, against a server that answers at once",
    `floor    p50 ${formatMs(floorMs.p50)} ms, p99 ${formatMs(floorMs.p99)} ms with one query in flight: generator, gRPC and loopback`,
  ].join("\n");
  return `${head}\n\n${table}\n\n${formatGeneratorVerdict({ qpsHeld, qpsWanted })}`;
}

/** One line: whether the generator can do what is asked of it. */
export function formatGeneratorVerdict({
  qpsHeld,
  qpsWanted,
}: Pick<GeneratorTest, "qpsHeld" | "qpsWanted">): string {
  if (qpsHeld === 0) return "✗ the generator held none of these rates: this machine is too busy";
  const held = `the generator holds ${formatRate(qpsHeld)} queries/s`;
  if (qpsWanted === null) return `✓ ${held}`;
  if (qpsHeld >= qpsWanted) return `✓ ${held}, ${formatRate(qpsWanted)} are wanted`;
  return `✗ ${held}, below the ${formatRate(qpsWanted)} wanted: latencies at that rate are partly its own; use more --clients or another machine`;
}

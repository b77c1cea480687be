import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { writeJsonFile } from "../../lib/files.js";
import { DTYPES } from "../../lib/model/dtype.js";
import { DEFAULT_COEFFICIENTS } from "../../services/planner/cost-model.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { formatTable } from "../cli/table.js";
import { formatShape } from "./calibrate/calibration-shapes.js";
import { type Calibration, calibrate } from "./calibrate/run-calibration.js";

const optionsSchema = z.strictObject({
  out: z.string(),
  model: z.string().optional(),
  seconds: z.coerce.number().min(2).max(600),
  seed: z.coerce.number().int().min(0),
  json: z.boolean().default(false),
});

/** `shardpool plan calibrate`. */
export function planCalibrateCommand(): Command {
  return new Command("calibrate")
    .description("Measures what lookups cost on this machine, for `plan make --coefficients`.")
    .requiredOption("--out <file>", "coefficients to write (.json)")
    .option("--model <dir>", "model whose dense part is timed; MLPerf's DLRM unless given")
    .option("--seconds <n>", "time to measure, after some 10 s of making rows", "30")
    .option("--seed <n>", "seed of the row ids that are looked up", "1")
    .option("--json", "print coefficients and measurements as one JSON object")
    .addHelpText(
      "after",
      "\nStarts a shard on made-up tables, sends it lookups of many shapes and shares out the CPU time\n" +
        "they took by least squares. Let the machine do nothing else meanwhile.\n" +
        "\nExample:\n  shardpool plan calibrate --out costs.json\n" +
        "  shardpool plan make --model model --stats stats.json --shards 4 --coefficients costs.json --out plan.json",
    )
    .action(planCalibrate);
}

async function planCalibrate(raw: unknown): Promise<void> {
  const { out, model, seconds, seed, json } = parseConfig(optionsSchema, raw, "plan calibrate");
  const stop = takeOverStopSignals();
  try {
    const calibration = await calibrate({
      ...{ seconds, seed, signal: stop.signal },
      ...(model === undefined ? {} : { modelDir: model }),
    });
    await writeJsonFile(out, calibration.coefficients);
    console.log(json ? JSON.stringify(calibration) : formatCalibration(out, calibration));
  } finally {
    stop.release();
  }
}

function formatCalibration(out: string, calibration: Calibration): string {
  const { coefficients, shapes, misses, dense, fitError } = calibration;
  const fitted = formatTable(
    [
      { title: "lookup", align: "left" },
      { title: "CPU us" },
      { title: "fit us" },
      { title: "off" },
    ],
    shapes.map(({ shape, cpuUs, fittedUs }) => [
      formatShape(shape),
      cpuUs.toFixed(1),
      fittedUs.toFixed(1),
      `${((fittedUs / cpuUs - 1) * 100).toFixed(0)} %`,
    ]),
  );
  const missed = formatTable(
    [
      { title: "lookup, rows not in memory", align: "left" },
      { title: "CPU us" },
      { title: "blocks" },
      { title: "us a block" },
    ],
    misses.map(({ shape, cpuUs, blocksRead, blockUs }) => [
      formatShape(shape),
      cpuUs.toFixed(1),
      blocksRead.toFixed(1),
      blockUs.toFixed(1),
    ]),
  );
  return [
    fitted,
    `fit: ${shapes.length} lookups, off by ${(fitError * 100).toFixed(1)} % (root mean square)`,
    missed,
    `dense: ${dense.what}, ${dense.sampleUs.toFixed(2)} us a sample`,
    costTable(coefficients),
    `${out}: costs of ${coefficients.source}`,
  ].join("\n\n");
}

function costTable(coefficients: Calibration["coefficients"]): string {
  const plain = [
    ["us a message", "messageUs"],
    ["us a segment", "segmentUs"],
    ["ns a bag", "bagNs"],
    ["ns a byte of answer", "answerByteNs"],
    ["us a block missed", "blockMissUs"],
    ["us a sample, dense", "denseSampleUs"],
    ["us a message, frontend", "fanOutUs"],
  ] as const;
  const rows = DTYPES.flatMap((dtype) =>
    coefficients.rowHitNs[dtype].map(({ columns, ns }) => {
      const usual = DEFAULT_COEFFICIENTS.rowHitNs[dtype].find((point) => point.columns === columns);
      return [`ns a row in memory, ${dtype} x ${columns}`, String(ns), String(usual?.ns ?? "")];
    }),
  );
  return formatTable(
    [{ title: "cost", align: "left" }, { title: "here" }, { title: "default" }],
    [
      ...plain.map(([title, key]) => [
        title,
        String(coefficients[key]),
        String(DEFAULT_COEFFICIENTS[key]),
      ]),
      ...rows,
    ],
  );
}

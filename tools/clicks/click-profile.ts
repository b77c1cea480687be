import { ShardpoolError } from "../../lib/errors.js";
import { REUSE_PROFILES, type ReuseProfile } from "./reuse-targets.js";

const ZIPF_EXPONENT_MAX = 5;

/** How the row ids of a synthetic log are distributed over a table's rows. */
export type ClickProfile =
  | { readonly kind: "uniform" }
  | { readonly kind: "zipf"; readonly exponent: number }
  | { readonly kind: "reuse"; readonly name: ReuseProfile };

/**
 * Parses `uniform`, `zipf:S`, `meta-2021` or `meta-2022`.
 *
 * @throws ShardpoolError CONFIG_INVALID.
 */
export function parseClickProfile(text: string): ClickProfile {
  if (text === "uniform") return { kind: "uniform" };
  const name = REUSE_PROFILES.find((candidate) => candidate === text);
  if (name !== undefined) return { kind: "reuse", name };
  const match = /^zipf:(\d+(?:\.\d+)?)$/.exec(text);
  const exponent = Number(match?.[1]);
  if (exponent > 0 && exponent <= ZIPF_EXPONENT_MAX) return { kind: "zipf", exponent };
  throw new ShardpoolError(
    "CONFIG_INVALID",
    `profile ${text}: must be uniform, zipf:S with S above 0 and at most ${ZIPF_EXPONENT_MAX}, ${REUSE_PROFILES.join(" or ")}`,
  );
}
